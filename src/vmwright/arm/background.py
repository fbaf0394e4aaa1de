"""The work behind long-running operations: tasks that outlive the request which began them.

An operation is recorded before anything of it is done (``operations.py``). Its work must bear being done
again: where the service ends first, the operation stays open, and its work begins anew at the next start,
of this service or of another one with the same database.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from vmwright.arm.http.errors import ArmError
from vmwright.arm.operations import Status
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.arm.operations import Operation, Operations
    from vmwright.events import Events

MOST_AT_ONCE = 8
STOP_SECONDS = 10.0
AGAIN_SECONDS = 1.0


class Work(Protocol):
    """What is done behind the operations of one kind."""

    async def __call__(self, operation: Operation) -> None:
        """Do it, or what is left of it; the operation has succeeded where this returns.

        :raises ArmError: it has failed, with this error.
        :raises VmwrightError: likewise.
        """


class Background:
    """Runs the work behind operations, a few at a time, in the order in which they began.

    :param events: is told of work that ended in a way nobody foresaw.
    :param stop_seconds: how long work that is told to end may take to clear up.
    """

    def __init__(
        self,
        operations: Operations,
        events: Events,
        *,
        most_at_once: int = MOST_AT_ONCE,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._operations = operations
        self._events = events
        self._stop_seconds = stop_seconds
        self._room = asyncio.Semaphore(most_at_once)
        self._works: dict[str, Work] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_running = False

    def does(self, kind: str, work: Work) -> None:
        """Say what is done behind the operations of a kind; all kinds are known before ``running``."""
        self._works[kind] = work

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take up the operations that are open, and carry out those that begin within the block.

        At its end, work that still runs is cancelled; its operations stay open.

        :raises VmwrightError: the database cannot be used.
        """
        self._is_running = True
        for operation in await asyncio.to_thread(self._operations.open_ones, *self._works):
            self.begin(operation)
        try:
            yield
        finally:
            self._is_running = False
            await self._stop()

    def begin(self, operation: Operation) -> None:
        """Begin the work behind an operation, of a kind that ``does`` knows; work that runs is let be.

        Outside ``running`` nothing begins: the operation is taken up when that does.
        """
        if not self._is_running or operation.id in self._tasks:
            return
        task = asyncio.create_task(self._carry_out(operation), name=f"{operation.kind} {operation.id}")
        self._tasks[operation.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(operation.id))

    async def settle(self, operation: Operation, *, seconds: float) -> None:
        """Wait a little for work that has begun: what is quickly done is done when its client hears of it."""
        if task := self._tasks.get(operation.id):
            await asyncio.wait([task], timeout=seconds)

    async def idle(self) -> None:
        """Wait until no work is left."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _carry_out(self, operation: Operation) -> None:
        """Do the work, unless another service has; as long as the database is away, wait for it."""
        async with self._room:
            while True:
                try:
                    async with self._operations.taking(operation.id) as is_open:
                        if is_open:
                            await self._do(operation)
                except VmwrightError as away:
                    self._events.warn(f"The operation {operation.id} cannot be gone on with: {away.message}")
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    return

    async def _do(self, operation: Operation) -> None:
        work = self._works[operation.kind](operation)
        (outcome,) = await asyncio.gather(work, return_exceptions=True)
        if isinstance(outcome, BaseException):
            await self._end(operation, Status.FAILED, self._error(operation, outcome))
        else:
            await self._end(operation, Status.SUCCEEDED)

    def _error(self, operation: Operation, outcome: BaseException) -> ArmError:
        """Return what a client sees of an error; of one that nobody foresaw, the operator sees more."""
        if isinstance(outcome, ArmError):
            return outcome
        if isinstance(outcome, VmwrightError):
            hint = f" ({outcome.hint})" if outcome.hint else ""
            return ArmError(409, outcome.code, f"{outcome.message}{hint}", target=outcome.target)
        self._events.warn(f"The operation {operation.kind} {operation.id} has failed: {outcome!r}")
        return ArmError(
            500,
            "InternalServerError",
            f"The operation {operation.id} has failed for a reason that the service's own log tells.",
        )

    async def _end(self, operation: Operation, status: Status, error: ArmError | None = None) -> None:
        """Record how an operation ended; as long as the database is away, wait for it."""
        while True:
            try:
                await asyncio.to_thread(self._operations.end, operation.id, status, error)
            except VmwrightError as away:
                self._events.warn(f"The end of the operation {operation.id} is not recorded: {away.message}")
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    async def _stop(self) -> None:
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=self._stop_seconds)
        for task in left:
            self._events.warn(f"{task.get_name()} did not end within {self._stop_seconds:.0f} s")
