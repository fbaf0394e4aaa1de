"""Resource groups: made, shown, tagged, and deleted with all that is in them."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from vmwright.arm import checks
from vmwright.arm.filters import filtered
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION, Route
from vmwright.arm.ids import ResourceId, parse
from vmwright.arm.operations import RETRY_AFTER, Operation, Status
from vmwright.arm.paging import page_of
from vmwright.arm.store import GROUP_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vmwright.arm.background import Background
    from vmwright.arm.contents import Removal
    from vmwright.arm.http.call import Call
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource

DELETE = "resourceGroups/delete"
GROUPS = f"{SUBSCRIPTION}/resourceGroups"
RESULTS = f"{SUBSCRIPTION}/operationresults/{{operation}}"
# Groups say their type from this api-version on.
TYPE_SINCE = "2019-05-01"
READY = "Succeeded"


def routes(service: Service, background: Background, removals: Sequence[Removal]) -> Iterator[Route]:
    """Return the ways to resource groups, and let ``background`` carry out their deletion.

    :param removals: of the providers, in the order in which their things may go.
    """
    groups = _Groups(service, background, removals)
    background.does(DELETE, groups.carry_out_delete)
    yield Route(method="GET", pattern=GROUPS, handler=groups.list)
    yield Route(method="GET", pattern=GROUP, handler=groups.get)
    yield Route(method="HEAD", pattern=GROUP, handler=groups.exists)
    yield Route(method="PUT", pattern=GROUP, handler=groups.put)
    yield Route(method="PATCH", pattern=GROUP, handler=groups.patch)
    yield Route(method="DELETE", pattern=GROUP, handler=groups.delete)
    yield Route(method="GET", pattern=RESULTS, handler=groups.poll)


class _Groups:
    def __init__(self, service: Service, background: Background, removals: Sequence[Removal]) -> None:
        self._store = service.store
        self._operations = service.operations
        self._background = background
        self._removals = tuple(removals)
        self._deleting = asyncio.Lock()

    async def list(self, call: Call) -> Answer:
        subscription = call.names["subscription"]
        found = await asyncio.to_thread(self._store.find_all, kind=GROUP_TYPE, subscription=subscription)
        return page_of(call, filtered(call, (_shown(group, call) for group in found)))

    async def get(self, call: Call) -> Answer:
        return ok(_shown(await asyncio.to_thread(self._find, call), call))

    async def exists(self, call: Call) -> Answer:
        found = await asyncio.to_thread(self._store.find, _id(call))
        return Answer(status=404 if found is None else 204)

    async def put(self, call: Call) -> Answer:
        document = call.document()
        location, tags = checks.location_of(document, GROUP_TYPE), checks.tags_of(document)
        group, is_new = await asyncio.to_thread(self._put, call, location, tags, document.get("managedBy"))
        return Answer(status=201 if is_new else 200, body=_shown(group, call))

    async def patch(self, call: Call) -> Answer:
        document = call.document()
        tags = checks.tags_of(document) if "tags" in document else None
        return ok(_shown(await asyncio.to_thread(self._patch, call, tags), call))

    async def delete(self, call: Call) -> Answer:
        async with self._deleting:  # of two at once, the second finds what the first has begun
            operation = await asyncio.to_thread(self._begin_delete, call)
        self._background.begin(operation)
        return _accepted(operation, call)

    async def poll(self, call: Call) -> Answer:
        operation = await asyncio.to_thread(self._operations.find, call.names["operation"])
        if operation is None or operation.kind != DELETE:
            name = call.names["operation"]
            raise ArmError(404, "OperationNotFound", f"There is no operation '{name}'.", is_gateways=True)
        if operation.status is Status.IN_PROGRESS:
            return _accepted(operation, call)
        if operation.error is not None:
            raise ArmError(409, operation.error["code"], operation.error["message"], is_gateways=True)
        return Answer()

    async def carry_out_delete(self, operation: Operation) -> None:
        """Remove all that is in a group, and then the group; it is there again where something cannot go."""
        group = parse(operation.resource_id)
        try:
            for removal in self._removals:
                await removal.remove_all(group)
        except Exception:
            await asyncio.to_thread(self._set_state, group, READY)
            raise
        await asyncio.to_thread(self._store.remove, group)

    def _find(self, call: Call) -> Resource:
        return checks.find_group(self._store, call.names["subscription"], call.names["group"])

    def _put(
        self, call: Call, location: str, tags: dict[str, str], managed_by: object
    ) -> tuple[Resource, bool]:
        body: dict[str, Any] = {"properties": {"provisioningState": READY}}
        if isinstance(managed_by, str):
            body["managedBy"] = managed_by
        return self._store.put(
            _id(call),
            kind=GROUP_TYPE,
            location=location,
            body=body,
            tags=tags,
            api_version=call.api_version,
            principal=call.principal.id,
            check=functools.partial(_check_put, call.names["group"], location),
        )

    def _patch(self, call: Call, tags: dict[str, str] | None) -> Resource:
        def revised(group: Resource) -> dict[str, object]:
            checks.check_open(group)
            return {} if tags is None else {"tags": tags}

        return self._store.revise(_id(call), revised) or self._find(call)

    def _begin_delete(self, call: Call) -> Operation:
        group = self._find(call)
        wanted = parse(group.id)
        if checks.is_being_deleted(group) and (begun := self._deletion_of(wanted)):
            return begun
        operation = self._operations.begin(DELETE, wanted, location=group.location)
        self._set_state(wanted, checks.DELETING)
        return operation

    def _deletion_of(self, group: ResourceId) -> Operation | None:
        begun = self._operations.open_ones(DELETE)
        return next((one for one in begun if one.resource_id.lower() == group.key), None)

    def _set_state(self, group: ResourceId, state: str) -> None:
        def revised(found: Resource) -> dict[str, object]:
            return {"body": {**found.body, "properties": {**found.properties, "provisioningState": state}}}

        self._store.revise(group, revised)


def _check_put(name: str, location: str, existing: Resource | None) -> None:
    if existing is None:
        checks.check_group_name(name)
    else:
        checks.check_open(existing)
        checks.check_group_stays(existing, location)


def _id(call: Call) -> ResourceId:
    return ResourceId(call.names["subscription"], call.names["group"])


def _shown(group: Resource, call: Call) -> dict[str, Any]:
    document = group.document()
    if call.api_version < TYPE_SINCE:
        del document["type"]
    return document


def _accepted(operation: Operation, call: Call) -> Answer:
    place = f"/subscriptions/{operation.subscription}/operationresults/{operation.id}"
    url = f"{call.base_url}{place}?api-version={call.api_version}"
    return Answer(status=202, headers={"Location": url, "Retry-After": RETRY_AFTER})
