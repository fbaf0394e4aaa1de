"""What a virtual machine's guest finds around it: Azure's platform, or a NoCloud seed and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts.facts import Provisioning
from vmwright.machines.machine import AssignedIdentity, AzureEnvironment
from vmwright.settings import ANY_IDENTITY, ProvisioningChoice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmwright.events import Events
    from vmwright.settings import Settings

CHOSEN = {
    ProvisioningChoice.AZURE: Provisioning.AZURE,
    ProvisioningChoice.NOCLOUD: Provisioning.NOCLOUD,
}


def azure_environment(
    provisioning: Provisioning,
    settings: Settings,
    events: Events,
    *,
    location: str,
    vm_size: str,
    identities: Iterable[str] = (),
) -> AzureEnvironment | None:
    """Return the Azure guest environment of a VM, None for one that gets a NoCloud seed.

    :param provisioning: from what the image on the VM's disk is provisioned, unless the settings say another.
    :param identities: resource ids of the identities that are assigned to the VM.
    """
    wanted = CHOSEN.get(settings.provisioning, provisioning)
    if wanted is not provisioning:
        events.note(f"Provisioning: {wanted} (configured); the image itself is one for {provisioning}")
    if wanted is Provisioning.AZURE:
        assigned = tuple(_assigned(identities, settings, events))
        return AzureEnvironment(location=location, vm_size=vm_size, identities=assigned)
    if given := ", ".join(identities):
        events.note(f"The guest is provisioned by a NoCloud seed: it gets no tokens of {given}")
    return None


def _assigned(identities: Iterable[str], settings: Settings, events: Events) -> Iterable[AssignedIdentity]:
    configured = {name.casefold(): held for name, held in settings.identities.items()}
    for identity in identities:
        held = configured.get(identity.casefold()) or configured.get(ANY_IDENTITY)
        if held and held.token_command:
            yield AssignedIdentity(resource_id=identity, client_id=held.client_id, command=held.token_command)
        else:
            events.note(
                f"The guest gets no tokens of {identity}: the configuration has no token_command in "
                f'[identities."{identity}"]'
            )
