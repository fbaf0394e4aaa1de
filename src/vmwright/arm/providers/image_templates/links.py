"""What a template names in other scopes, which its writer must be allowed to use (reference §5.2, §17).

Identities are the writer's to give away. With images, galleries and networks the service works as the
template's identity: there a role of that one is enough, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.access.decisions import linked_refusal
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.image_templates.identities import ASSIGNED, is_configured
from vmwright.arm.providers.image_templates.names import TEMPLATE_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.arm.access.caller import Caller
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.service import Service

ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
READ_IMAGE, WRITE_IMAGE = "Microsoft.Compute/images/read", "Microsoft.Compute/images/write"
READ_VERSION = "Microsoft.Compute/galleries/images/versions/read"
WRITE_VERSION = "Microsoft.Compute/galleries/images/versions/write"
JOIN_SUBNET = "Microsoft.Network/virtualNetworks/subnets/join/action"
WRITE_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/write"
SUBNETS = ("subnetId", "containerInstanceSubnetId")


@dataclass(frozen=True, slots=True)
class Link:
    """An action that a template does at the scope of another resource, an id as it was written."""

    action: str
    scope: str


def links(document: Mapping[str, Any]) -> Iterator[Link]:
    """Give what a template names.

    :param document: the template with the newest names of its fields.
    """
    for identity in _identities(document):
        yield Link(ASSIGN, identity)
    properties = document["properties"]
    match properties["source"]:
        case {"type": "ManagedImage", "imageId": image}:
            yield Link(READ_IMAGE, image)
        case {"type": "SharedImageVersion", "imageVersionId": version}:
            yield Link(READ_VERSION, version)
    for distributor in properties["distribute"]:
        match distributor:
            case {"type": "ManagedImage", "imageId": image}:
                yield Link(WRITE_IMAGE, image)
            case {"type": "SharedImage", "galleryImageId": definition}:
                yield Link(WRITE_VERSION, definition)
    network = properties.get("vmProfile", {}).get("vnetConfig", {})
    for subnet in filter(None, map(network.get, SUBNETS)):
        yield Link(JOIN_SUBNET, subnet)
    if group := properties.get("stagingResourceGroup"):
        yield Link(WRITE_GROUP, f"/{group.removeprefix('/')}")


def check(
    document: Mapping[str, Any],
    template: ResourceId,
    service: Service,
    caller: Caller,
    *,
    before: Mapping[str, Any] | None = None,
) -> None:
    """Check that a template names nothing that its writer may not use, and no identity of somewhere else.

    :param document: the template with the newest names of its fields; ``before``, likewise, what it was: what
        was in that one is not checked again.
    :raises ArmError: it does (403).
    """
    known = set() if before is None else set(links(before))
    wanted = [link for link in dict.fromkeys(links(document)) if link not in known]
    for link in wanted:
        if link.action == ASSIGN:
            _check_subscription(link.scope, template, service)
    workers = [caller, *_workers(document, service, caller)]
    refused = [
        link
        for link in wanted
        if not any(
            one.may(link.action, link.scope) for one in workers[: 1 if link.action == ASSIGN else None]
        )
    ]
    if refused:
        linked = [(link.action, link.scope) for link in refused]
        raise linked_refusal(caller.principal, f"{TEMPLATE_TYPE}/write", template, linked)


def _identities(document: Mapping[str, Any]) -> list[str]:
    of_vm = document["properties"].get("vmProfile", {}).get(ASSIGNED, [])
    return list(dict.fromkeys([*document.get("identity", {}).get(ASSIGNED, {}), *of_vm]))


def _workers(document: Mapping[str, Any], service: Service, caller: Caller) -> Iterator[Caller]:
    """Give the template's own identities, as far as they are in the directory."""
    for identity in document.get("identity", {}).get(ASSIGNED, {}):
        found = service.store.find(ids.parse(identity))
        if found is not None and "principalId" in found.properties:
            yield caller.instead(found.properties["principalId"])


def _check_subscription(identity: str, template: ResourceId, service: Service) -> None:
    """Check that an identity is of the template's subscription, or configured.

    :raises ArmError: it is not.
    """
    linked = ids.parse(identity).subscription
    if linked.lower() == template.subscription.lower() or is_configured(identity, service):
        return
    raise ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client has permission to perform action '{ASSIGN}' on scope '{template}', however the current "
        f"tenant '{service.tenant}' is not authorized to access linked subscription '{linked}'.",
        is_gateways=True,
    )
