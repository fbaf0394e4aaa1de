"""Long-running operations (reference §2): their rows, their addresses, their documents.

Whatever the service does behind an operation outlives it in the database: an operation that is open when the
service starts is taken up again by whoever began it (``open_ones``), and none stays InProgress for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from vmwright.arm.http.answer import Answer
from vmwright.arm.times import short
from vmwright.regions import api_name
from vmwright.state.service_tables import OperationRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from vmwright.arm.http.call import Call
    from vmwright.arm.http.errors import ArmError
    from vmwright.arm.ids import ResourceId
    from vmwright.state.database import Database

# Ours: the service itself sends none, and its clients then wait for half a minute. Whole seconds: some
# clients break on others (azure-clients.md, section 5).
RETRY_AFTER = "1"


class Status(StrEnum):
    """How it goes with an operation."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation; ``error`` is ARM's ``{code, message}``.

    :param kind: what is done, such as ``imageTemplates/write``.
    :param build_id: of a run, the build that decides how it ends.
    :param correlation_id: of the request that began it, "" where none did.
    """

    id: str
    kind: str
    resource_id: str
    subscription: str
    location: str
    status: Status
    error: Mapping[str, Any] | None
    build_id: str | None
    correlation_id: str
    started_at: datetime
    ended_at: datetime | None

    def document(self) -> dict[str, object]:
        """Return what a poll is answered with; its HTTP status is 200 also where the operation has failed."""
        document: dict[str, object] = {
            "name": self.id.upper(),
            "status": self.status,
            "startTime": short(self.started_at),
        }
        if self.ended_at is not None:
            document["endTime"] = short(self.ended_at)
        if self.error is not None:
            document["error"] = dict(self.error)
        return document

    def url(self, call: Call, namespace: str, *, collection: str = "operations") -> str:
        """Return the address to poll, at the host that the client has reached, with its api-version."""
        place = (
            f"/subscriptions/{self.subscription}/providers/{namespace}/locations/{api_name(self.location)}"
        )
        return f"{call.base_url}{place}/{collection}/{self.id}?api-version={call.api_version}"


class Operations:
    """The operations of a service; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        kind: str,
        resource_id: ResourceId,
        *,
        location: str,
        build_id: str | None = None,
        correlation_id: str = "",
    ) -> Operation:
        """Record an operation before anything of it is done."""
        row = OperationRow(
            id=str(uuid.uuid4()),
            kind=kind,
            resource_id=str(resource_id),
            subscription=resource_id.subscription,
            location=location,
            status=Status.IN_PROGRESS,
            build_id=build_id,
            correlation_id=correlation_id or None,
            started_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            session.add(row)
        return _operation(row)

    def end(self, operation_id: str, status: Status, error: ArmError | None = None) -> None:
        """Record how an operation ended; one that has ended stays as it is."""
        still_open = (OperationRow.id == operation_id, OperationRow.status == Status.IN_PROGRESS)
        values = {
            "status": status,
            "error": error.inner() if error else None,
            "ended_at": datetime.now(UTC),
        }
        with self._database.session() as session:
            session.execute(update(OperationRow).where(*still_open).values(**values))

    def find(self, operation_id: str) -> Operation | None:
        """Return an operation, None where there is none."""
        with self._database.session() as session:
            row = session.get(OperationRow, operation_id.lower())
            return None if row is None else _operation(row)

    @contextlib.asynccontextmanager
    async def taking(self, operation_id: str) -> AsyncIterator[bool]:
        """Have an operation to oneself among the services of one database; wait for one that has it.

        The block is given whether there is anything left to do: whether it is still open.

        :raises VmwrightError: the database cannot be used, or the operation was lost within the block.
        """
        async with contextlib.AsyncExitStack() as stack:
            if self._database.is_shared:
                await stack.enter_async_context(self._database.holding(f"operation {operation_id}"))
            found = await asyncio.to_thread(self.find, operation_id)
            yield found is not None and found.status is Status.IN_PROGRESS

    def count_open(self) -> dict[str, int]:
        """Return how many operations have not ended by their kind; runs are left out: those are builds."""
        asked = select(OperationRow.kind, func.count().label("open")).where(
            OperationRow.status == Status.IN_PROGRESS, OperationRow.build_id.is_(None)
        )
        with self._database.session() as session:
            return {row.kind: row.open for row in session.execute(asked.group_by(OperationRow.kind))}

    def open_ones(self, *kinds: str) -> list[Operation]:
        """Return the operations of some kinds that have not ended, the oldest first."""
        asked = select(OperationRow).where(
            OperationRow.status == Status.IN_PROGRESS, OperationRow.kind.in_(kinds)
        )
        with self._database.session() as session:
            return [_operation(row) for row in session.scalars(asked.order_by(OperationRow.started_at))]


def accepted(operation: Operation, call: Call, namespace: str, *, with_location: bool = True) -> Answer:
    """Return 202 without a body, with the addresses to poll: both are the same one (reference §2)."""
    url = operation.url(call, namespace)
    headers = {"Azure-AsyncOperation": url, "Retry-After": RETRY_AFTER, "x-ms-request-id": operation.id}
    if with_location:
        headers["Location"] = url
    return Answer(status=202, headers=headers)


def created(operation: Operation, call: Call, namespace: str, body: object) -> Answer:
    """Return 201 with a resource that is being provisioned, and the address to poll."""
    url = operation.url(call, namespace)
    headers = {"Azure-AsyncOperation": url, "Retry-After": RETRY_AFTER, "x-ms-request-id": operation.id}
    return Answer(status=201, body=body, headers=headers)


def polled(operation: Operation) -> Answer:
    """Return the answer to a poll."""
    headers = {"Retry-After": RETRY_AFTER} if operation.status is Status.IN_PROGRESS else {}
    return Answer(body=operation.document(), headers=headers)


def _operation(row: OperationRow) -> Operation:
    return Operation(
        id=row.id,
        kind=row.kind,
        resource_id=row.resource_id,
        subscription=row.subscription,
        location=row.location,
        status=Status(row.status),
        error=row.error,
        build_id=row.build_id,
        correlation_id=row.correlation_id or "",
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
