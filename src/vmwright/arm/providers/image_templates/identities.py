"""The identities that a template names: whether they are there, and who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.providers.image_templates.faults import OTHER, ProvisioningError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vmwright.arm.service import Service

TYPE = "microsoft.managedidentity/userassignedidentities"
ASSIGNED = "userAssignedIdentities"
SHOWN = ("principalId", "clientId")
UNUSABLE = (
    "The assigned managed identity cannot be used. Please remove the existing one and re-assign a new "
    "identity. For more troubleshooting steps go to https://aka.ms/azvmimagebuilderts."
)
Known = dict[str, dict[str, str]]


def is_configured(identity: str, service: Service) -> bool:
    """Whether the operator has configured an identity, which need not be there then."""
    return identity.lower() in {name.lower() for name in service.settings.identities}


def look_up(wanted: Iterable[str], service: Service) -> Known:
    """Return what is shown of identities, by their ids as they are given; {} of one that is only configured.

    :raises ProvisioningError: there is no such identity, neither in the service nor in its configuration.
    """
    known: Known = {}
    for identity in dict.fromkeys(wanted):
        found = service.store.find(ids.parse(identity))
        if found is not None and found.type.lower() == TYPE:
            known[identity] = {name: found.properties[name] for name in SHOWN if name in found.properties}
        elif is_configured(identity, service):
            known[identity] = {}
        else:
            raise ProvisioningError(
                OTHER,
                f"{UNUSABLE} Hint: there is no identity {identity}; `az identity create` makes it.",
                code="Unauthorized",
            )
    return known


def fill(body: Mapping[str, Any], known: Known) -> None:
    """Put what is shown of identities into the body of a template."""
    assigned = body.get("identity", {}).get(ASSIGNED, {})
    assigned.update({name: known[name] for name in assigned if name in known})
