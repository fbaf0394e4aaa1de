"""All resources of the subscription or of a group, whatever their type."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vmwright.arm import checks
from vmwright.arm.filters import filtered
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION, Route
from vmwright.arm.paging import page_of
from vmwright.arm.times import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vmwright.arm.contents import Listing
    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.call import Call
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource

# What a list shows of a resource, where it has it, besides id, name, type, location and tags.
SHOWN = ("kind", "managedBy", "sku", "plan", "identity")


def routes(service: Service, listings: Sequence[Listing]) -> Iterator[Route]:
    """Return the ways to lists of resources of all types.

    :param listings: of the providers that keep resources in tables of their own.
    """
    resources = _Resources(service, listings)
    for around in (SUBSCRIPTION, GROUP):
        yield Route(method="GET", pattern=f"{around}/resources", handler=resources.all)


class _Resources:
    def __init__(self, service: Service, listings: Sequence[Listing]) -> None:
        self._store = service.store
        self._listings = tuple(listings)

    async def all(self, call: Call) -> Answer:
        subscription, group = call.names["subscription"], call.names.get("group")
        found = await asyncio.to_thread(self._stored, subscription, group)
        for listing in self._listings:
            found += await listing.resources(subscription, group)
        found.sort(key=lambda resource: resource.id.lower())
        expanded = {name.strip().lower() for name in call.query.get("$expand", "").split(",")}
        return page_of(call, filtered(call, (_shown(resource, expanded) for resource in found)))

    def _stored(self, subscription: str, group: str | None) -> list[Resource]:
        if group is not None:
            checks.find_group(self._store, subscription, group)
        return self._store.find_all(subscription=subscription, group=group)


def _shown(resource: Resource, expanded: set[str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": resource.id,
        "name": resource.name,
        "type": resource.type,
        "location": resource.location,
        "tags": dict(resource.tags),
        **{name: resource.body[name] for name in SHOWN if name in resource.body},
    }
    if "createdtime" in expanded:
        document["createdTime"] = short(resource.created_at)
    if "changedtime" in expanded:
        document["changedTime"] = short(resource.changed_at)
    if "provisioningstate" in expanded:
        document["provisioningState"] = resource.properties.get("provisioningState", "Succeeded")
    return document
