"""Compute's long-running operations: where they are polled, and what that answers (reference §20)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.arm.http.answer import Answer
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import SUBSCRIPTION, Route
from vmwright.arm.operations import RETRY_AFTER, Status
from vmwright.arm.providers.compute.names import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.http.call import Call
    from vmwright.arm.operations import Operation
    from vmwright.arm.service import Service

# Compute has two kinds of workers: that of galleries, and that of machines and images.
OF_GALLERIES, OF_IMAGES = "capsOperations", "operations"
MONITOR = "&monitor=true"


def routes(service: Service) -> Iterator[Route]:
    """Give the ways to operations."""

    async def poll(call: Call) -> Answer:
        found = await asyncio.to_thread(service.operations.find, call.names["operation"])
        if found is None or found.subscription.lower() != call.names["subscription"].lower():
            raise ArmError(404, "NotFound", f"There is no operation '{call.names['operation']}'.")
        return _monitored(found) if "monitor" in call.query else _polled(found)

    place = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}"
    for collection in (OF_GALLERIES, OF_IMAGES):
        yield Route(method="GET", pattern=f"{place}/{collection}/{{operation}}", handler=poll)


def written(operation: Operation, call: Call, collection: str, answer: Answer) -> Answer:
    """Return an answer to PUT or PATCH with the address to poll; the end is read from the resource itself."""
    headers = {
        "Azure-AsyncOperation": operation.url(call, NAMESPACE, collection=collection),
        "Retry-After": RETRY_AFTER,
    }
    return Answer(status=answer.status, body=answer.body, headers=headers)


def accepted(operation: Operation, call: Call, collection: str) -> Answer:
    """Return 202 without a body, with both addresses to poll."""
    url = operation.url(call, NAMESPACE, collection=collection)
    headers = {"Azure-AsyncOperation": url, "Location": f"{url}{MONITOR}", "Retry-After": RETRY_AFTER}
    return Answer(status=202, headers=headers)


def _polled(operation: Operation) -> Answer:
    body: dict[str, object] = {"startTime": operation.started_at.isoformat()}
    if operation.ended_at is not None:
        body["endTime"] = operation.ended_at.isoformat()
    body |= {"status": operation.status, "name": operation.id}
    if operation.error is not None:
        body["error"] = dict(operation.error)
    return Answer(body=body, headers=_again(operation))


def _monitored(operation: Operation) -> Answer:
    """Return the answer at ``Location``: 202 until the end, then that itself."""
    if operation.status is Status.IN_PROGRESS:
        return Answer(status=202, headers=_again(operation))
    if operation.error is not None:
        return Answer(status=409, body={"error": dict(operation.error)})
    return Answer(status=200)


def _again(operation: Operation) -> dict[str, str]:
    return {"Retry-After": RETRY_AFTER} if operation.status is Status.IN_PROGRESS else {}
