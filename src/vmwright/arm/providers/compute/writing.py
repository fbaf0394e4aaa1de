"""How resources of Compute are made, changed and removed, whatever their type.

A request records an operation and a document of what is wanted, and is answered; the rest is done behind it
and bears being done again (``background.py``). What is quick has been done by the time of the answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from vmwright.arm import ids
from vmwright.arm.checks import find_group, find_group_to_write
from vmwright.arm.http.answer import Answer
from vmwright.arm.http.errors import ArmError
from vmwright.arm.operations import Status
from vmwright.arm.providers.compute import shapes
from vmwright.arm.providers.compute.linked import check_linked
from vmwright.arm.providers.compute.operations import accepted, written

if TYPE_CHECKING:
    from datetime import datetime

    from vmwright.arm.background import Background
    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation
    from vmwright.arm.providers.compute.collection import Collection, Thing
    from vmwright.arm.providers.compute.documents import Document, Wish
    from vmwright.arm.providers.compute.linked import Rights
    from vmwright.arm.service import Service

QUICK_SECONDS = 2.0


class Kind(Protocol):
    """A type of resource."""

    @property
    def collection(self) -> Collection:
        """All resources of the type."""

    def wish(self, call: Call, wanted: ResourceId, there: Thing | None) -> Wish:
        """Return what a request wants; of PATCH, all that the resource is to be.

        :raises ArmError: the request is not valid, or cannot be for what is there.
        """

    async def make(self, document: Document, operation: Operation) -> datetime:
        """Make or change the record that a document is about; return when it was made.

        :raises VmwrightError: that cannot be. Nothing is left of it.
        """

    def check_removable(self, there: Thing) -> None:
        """Check that a resource may go.

        :raises ArmError: something is in it, or stands on it.
        """

    def remove(self, wanted: ResourceId) -> None:
        """Remove the record.

        :raises VmwrightError: it cannot go.
        """


class Writing:
    """Answers the requests that write resources of one type, and does the work behind them.

    :param polled_at: the collection that its operations are in.
    """

    def __init__(
        self, service: Service, background: Background, rights: Rights, kind: Kind, polled_at: str
    ) -> None:
        self._service = service
        self._background = background
        self._rights = rights
        self._kind = kind
        self._polled_at = polled_at
        short = kind.collection.type.partition("/")[2]
        self._write, self._delete = f"{short}/write", f"{short}/delete"
        background.does(self._write, self._carry_out_write)
        background.does(self._delete, self._carry_out_delete)

    async def write(self, call: Call, wanted: ResourceId) -> Answer:
        """Answer PUT or PATCH."""
        there, wish = await asyncio.to_thread(self._prepare, call, wanted)
        await check_linked(call, wanted, wish, self._service, self._rights)
        operation = await asyncio.to_thread(self._begin_write, call, wanted, there, wish)
        is_new = there is None or there.made_at is None
        there = await asyncio.to_thread(self._kind.collection.find, wanted)
        body = None if there is None else shapes.shown(there.body, call.api_version)
        self._background.begin(operation)
        if wish.origin is None:
            await self._background.settle(operation, seconds=QUICK_SECONDS)
        answer = Answer(status=201 if is_new else 200, body=body)
        return written(operation, call, self._polled_at, answer)

    async def delete(self, call: Call, wanted: ResourceId) -> Answer:
        """Answer DELETE."""
        operation = await asyncio.to_thread(self._begin_delete, wanted)
        if operation is None:
            return Answer(status=204)
        self._background.begin(operation)
        await self._background.settle(operation, seconds=QUICK_SECONDS)
        return accepted(operation, call, self._polled_at)

    def _prepare(self, call: Call, wanted: ResourceId) -> tuple[Thing | None, Wish]:
        find_group_to_write(self._service.store, wanted.subscription, wanted.group)
        there = self._kind.collection.find(wanted)
        return there, self._kind.wish(call, wanted, there)

    def _begin_write(self, call: Call, wanted: ResourceId, there: Thing | None, wish: Wish) -> Operation:
        service, collection = self._service, self._kind.collection
        named = wanted if there is None else there.id
        made_at = None if there is None else there.made_at
        operation = service.operations.begin(self._write, named, location=wish.location)
        try:
            collection.documents.write(named, wish, operation, call, made_at=made_at)
        except ArmError as error:
            service.operations.end(operation.id, Status.FAILED, error)
            raise
        return operation

    async def _carry_out_write(self, operation: Operation) -> None:
        documents = self._kind.collection.documents
        document = await asyncio.to_thread(documents.find, ids.parse(operation.resource_id))
        if document is None or document.operation != operation.id:
            raise ArmError(404, "NotFound", f"The resource '{operation.resource_id}' was not written.")
        try:
            made_at = await self._kind.make(document, operation)
        except Exception:
            await asyncio.to_thread(documents.fail, document)
            raise
        await asyncio.to_thread(documents.settle, document, made_at)

    def _begin_delete(self, wanted: ResourceId) -> Operation | None:
        service, collection = self._service, self._kind.collection
        there = collection.find(wanted)
        if there is None:
            find_group(service.store, wanted.subscription, wanted.group)
            return None
        self._kind.check_removable(there)
        operation = service.operations.begin(self._delete, there.id, location=there.body["location"])
        try:
            if there.document is not None:
                collection.documents.deleting(there.document, operation)
        except ArmError as error:
            service.operations.end(operation.id, Status.FAILED, error)
            raise
        return operation

    async def _carry_out_delete(self, operation: Operation) -> None:
        await asyncio.to_thread(self._remove, operation)

    def _remove(self, operation: Operation) -> None:
        collection, wanted = self._kind.collection, ids.parse(operation.resource_id)
        there = collection.find(wanted)
        if there is not None and there.made_at is not None:
            if there.made_at > operation.started_at:
                return  # made anew since: a restart was between
            try:
                self._kind.remove(wanted)
            except Exception:
                if there.document is not None:
                    collection.documents.stay(there.document)
                raise
        document = collection.documents.find(wanted)
        if document is None or document.operation == operation.id:
            collection.documents.remove(wanted)
