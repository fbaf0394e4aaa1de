"""One resource of a deployment, made: put to its provider, and waited for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from vmwright.arm.dispatcher import Request, request_of
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.deployments import records, shapes
from vmwright.arm.providers.deployments.faults import about, canceled, ended_badly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.dispatcher import Dispatcher
    from vmwright.arm.http.answer import Answer
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.providers.deployments.planning import Step
    from vmwright.arm.providers.deployments.records import Records, Work

POLL = "azure-asyncoperation"
TERMINAL = frozenset({"succeeded", "failed", "canceled"})
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, SLOWER = 0.02, 1.0, 1.5


class Making:
    """Makes the resources of one deployment, and keeps how far each is."""

    def __init__(self, dispatcher: Dispatcher, kept: Records, deployment: ResourceId, work: Work) -> None:
        self._dispatcher = dispatcher
        self._records = kept
        self._deployment = deployment
        self._work = work

    async def make(self, step: Step, operation: ResourceId) -> Mapping[str, Any]:
        """Make a resource and return it as it is then; what an earlier service has begun is waited for.

        :param operation: where is kept how far it is.
        :raises ArmError: it cannot be made, or the deployment was cancelled.
        """
        began = datetime.now(UTC)
        try:
            status = await self._write(step, operation)
            made = await self.read(step)
        except ArmError as error:
            cause = about(step.path, error, step.secrets)
            await self._note(step, operation, began, records.FAILED, cause.status, error=cause)
            raise cause from error
        await self._note(step, operation, began, records.SUCCEEDED, status)
        return made

    async def read(self, step: Step) -> Mapping[str, Any]:
        """Return a resource as it is.

        :raises ArmError: it is not there.
        """
        answer = await self._ask(Request(method="GET", path=step.path, api_version=step.version))
        return answer.body if isinstance(answer.body, dict) else {}

    async def _write(self, step: Step, operation: ResourceId) -> int:
        there = await asyncio.to_thread(self._records.operation, operation)
        status, poll = HTTPStatus.OK.value, str(there.body["poll"]) if there else ""
        if there is not None and not poll:
            await self._settle(step)
        if not poll:
            began = datetime.now(UTC)
            await self._note(step, operation, began, records.RUNNING, HTTPStatus.ACCEPTED)
            request = Request(method="PUT", path=step.path, api_version=step.version, body=step.body)
            answer = await self._ask(request)
            status, poll = answer.status, _poll(answer)
            await self._note(step, operation, began, records.RUNNING, HTTPStatus.ACCEPTED, poll=poll)
        if poll:
            await self._wait(poll, step)
        return status

    async def _wait(self, poll: str, step: Step) -> None:
        """Wait until the operation at an address has ended.

        :raises ArmError: it has failed.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            answer = await self._ask(request_of(poll, self._work.asker.base_url))
            body = answer.body if isinstance(answer.body, dict) else {}
            state = str(body.get("status", "")).lower()
            if state in TERMINAL or (not state and answer.status != HTTPStatus.ACCEPTED):
                break
            pause = await self._pause(pause)
        if state in TERMINAL - {"succeeded"}:
            raise ended_badly(step.path, state.capitalize(), _cause(body.get("error")))

    async def _settle(self, step: Step) -> None:
        """Wait until a resource, which may have been put already, is not being changed."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                properties = (await self.read(step)).get("properties") or {}
            except ArmError:
                return
            if str(properties.get("provisioningState", "succeeded")).lower() in TERMINAL:
                return
            pause = await self._pause(pause)

    async def _pause(self, seconds: float) -> float:
        """Wait, and return how long to wait next time.

        :raises ArmError: the deployment was cancelled meanwhile.
        """
        await asyncio.sleep(seconds)
        there = await asyncio.to_thread(self._records.find, self._deployment)
        if there is None or not records.is_active(there, self._work.operation):
            raise canceled(self._deployment)
        return min(seconds * SLOWER, LONGEST_PAUSE_SECONDS)

    async def _ask(self, request: Request) -> Answer:
        return await self._dispatcher.ask(request, self._work.asker)

    async def _note(
        self,
        step: Step,
        operation: ResourceId,
        began: datetime,
        state: str,
        status: int,
        *,
        error: ArmError | None = None,
        poll: str = "",
    ) -> None:
        properties = {
            **shapes.operation_of(step.resource, state, status, error),
            "timestamp": records.now(),
            "duration": records.duration(began),
            "trackingId": self._work.asker.correlation_id,
        }
        await asyncio.to_thread(
            self._records.note, operation, properties, run=self._work.operation, poll=poll
        )


def _poll(answer: Answer) -> str:
    """Return where it is asked how a write goes; "" where it is done."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    location = headers.get("location", "") if answer.status == HTTPStatus.ACCEPTED else ""
    return headers.get(POLL, location)


def _cause(error: object) -> ArmError | None:
    if not isinstance(error, dict):
        return None
    details = [one for detail in error.get("details", ()) if (one := _cause(detail))]
    code, message = str(error.get("code", "")), str(error.get("message", ""))
    return ArmError(409, code, message, target=error.get("target"), details=details)
