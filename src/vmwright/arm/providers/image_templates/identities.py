"""The identities that a template names: whether they are there, and who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.image_templates.faults import OTHER, ProvisioningError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vmwright.arm.ids import ResourceId
    from vmwright.arm.service import Service

TYPE = "microsoft.managedidentity/userassignedidentities"
ASSIGNED = "userAssignedIdentities"
SHOWN = ("principalId", "clientId")
UNUSABLE = (
    "The assigned managed identity cannot be used. Please remove the existing one and re-assign a new "
    "identity. For more troubleshooting steps go to https://aka.ms/azvmimagebuilderts."
)
Known = dict[str, dict[str, str]]


def check_linked(document: Mapping[str, Any], template: ResourceId, service: Service) -> None:
    """Check that the identities of a template are of its subscription, or configured.

    :raises ArmError: one is not, in ARM's words (reference §5.2).
    """
    for identity in document.get("identity", {}).get(ASSIGNED, {}):
        linked = ids.parse(identity).subscription
        if linked.lower() != template.subscription.lower() and not _is_configured(identity, service):
            raise ArmError(
                403,
                "LinkedAuthorizationFailed",
                "The client has permission to perform action "
                f"'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on scope '{template}', "
                f"however the current tenant '{service.tenant}' is not authorized to access linked "
                f"subscription '{linked}'.",
                is_gateways=True,
            )


def look_up(wanted: Iterable[str], service: Service) -> Known:
    """Return what is shown of identities, by their ids as they are given; {} of one that is only configured.

    :raises ProvisioningError: there is no such identity, neither in the service nor in its configuration.
    """
    known: Known = {}
    for identity in dict.fromkeys(wanted):
        found = service.store.find(ids.parse(identity))
        if found is not None and found.type.lower() == TYPE:
            known[identity] = {name: found.properties[name] for name in SHOWN if name in found.properties}
        elif _is_configured(identity, service):
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


def _is_configured(identity: str, service: Service) -> bool:
    return identity.lower() in {name.lower() for name in service.settings.identities}
