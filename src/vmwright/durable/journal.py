"""What a workflow runs its steps by: the result of each is recorded before the next one begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from dbos import DBOS
from dbos import error as refusals
from pydantic import TypeAdapter

from vmwright.errors import LostBuildError

Result = TypeVar("Result")


class Journal:
    """The journal of one attempt of a workflow."""

    def __init__(self, key: str) -> None:
        self.key = key

    async def step(self, name: str, kind: type[Result], work: Callable[[], Awaitable[Result]]) -> Result:
        """Run a step and record its result; or return what it gave when it ran in an earlier attempt.

        A step that was interrupted is run again: its work must cope with what is there of it already.

        :param kind: of the result: what pydantic can write as JSON, some kilobytes of it at most.
        :raises LostBuildError: another attempt has taken the workflow over.
        """
        adapter: TypeAdapter[Result] = TypeAdapter(kind)
        failures: list[BaseException] = []

        async def recorded() -> Any:  # noqa: ANN401 - JSON
            task = await settled(work())
            if not task.cancelled() and (error := task.exception()):
                failures.append(error)
                raise FailedError.of(error)
            return adapter.dump_python(task.result(), mode="json")

        try:
            result = await DBOS.run_step_async({"name": name, "preemptible": True}, recorded)
        except FailedError:
            raise failures[0] from None
        except (refusals.DBOSWorkflowCancelledError, refusals.DBOSWorkflowConflictIDError):
            raise LostBuildError(f"The build {self.key} has been taken over") from None
        return adapter.validate_python(result)


class FailedError(Exception):
    """A step, or a workflow, has failed: how is told beside the journal, for its words may be secret."""

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Return what the journal may know of an error."""
        return cls(type(error).__name__)


async def settled(work: Awaitable[Result]) -> asyncio.Future[Result]:
    """Return some work when it has come to its end, whichever; a cancel of this is one of the work."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    return task


Body = Callable[[Journal], Awaitable[None]]
