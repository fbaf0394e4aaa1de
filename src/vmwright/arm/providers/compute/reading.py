"""How resources of Compute are shown and listed, whatever their type."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.arm.checks import find_group
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.paging import page_of
from vmwright.arm.providers.compute import shapes
from vmwright.arm.providers.compute.names import VERSIONS, missing, parent_missing
from vmwright.arm.providers.compute.versions import replication_status

if TYPE_CHECKING:
    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.providers.compute.collection import Collection
    from vmwright.arm.store import ResourceStore


class Reading:
    """Answers the requests that read resources of one type.

    :param around: all resources of the type around it; None where that is a group.
    """

    def __init__(self, store: ResourceStore, collection: Collection, around: Collection | None) -> None:
        self._store = store
        self._collection = collection
        self._around = around

    async def get(self, call: Call, wanted: ResourceId) -> Answer:
        """Answer GET of one."""
        return await asyncio.to_thread(self._get, call, wanted)

    async def list(self, call: Call, scope: ResourceId) -> Answer:
        """Answer GET of all in a subscription, group, gallery or definition."""
        return await asyncio.to_thread(self._list, call, scope)

    def _get(self, call: Call, wanted: ResourceId) -> Answer:
        there = self._collection.find(wanted)
        if there is None or there.made_at is None:
            self._check_around(wanted)
        if there is None:
            raise missing(wanted)
        document = shapes.shown(there.body, call.api_version)
        if self._collection.type == VERSIONS and call.query.get("$expand", "").lower() == "replicationstatus":
            document["properties"]["replicationStatus"] = replication_status(document)
        return ok(document)

    def _check_around(self, wanted: ResourceId) -> None:
        """Check that the group is there, and the resource that something is in.

        :raises ArmError: it is not.
        """
        find_group(self._store, wanted.subscription, wanted.group)
        if self._around is not None and self._around.find(wanted.parent) is None:
            raise parent_missing("read", wanted)

    def _list(self, call: Call, scope: ResourceId) -> Answer:
        things = self._collection.below(scope)
        if scope.group and not any(thing.made_at for thing in things):
            self._check_around(scope.below(self._collection.type.rpartition("/")[2], ""))
        return page_of(call, (shapes.shown(thing.body, call.api_version) for thing in things))
