"""What ends a build's work before its time: a cancel, the end of its time, its loss to another executor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from vmwright.errors import HandedOverError, VmwrightError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Result = TypeVar("Result")


class Interrupts:
    """The door through which a build's work is interrupted; the first reason counts.

    :param was_stopped: tells whether this process has stood still for so long that its programs were ended.
    """

    def __init__(self, was_stopped: Callable[[], bool]) -> None:
        self.reason: VmwrightError | None = None
        self._was_stopped = was_stopped
        self._running: set[asyncio.Future[Any]] = set()

    def interrupt(self, reason: VmwrightError) -> None:
        """End what runs, with all its clean-up, by ``reason``; what is asked for later does not begin."""
        if self.reason is None:
            self.reason = reason
            for work in self._running:
                work.cancel()

    def cause_of(self, failure: VmwrightError) -> VmwrightError:
        """Return why some work failed: what fails of an interrupt, or of having stood still, is not why."""
        if self.reason is not None:
            return self.reason
        if not self._was_stopped():
            return failure
        return HandedOverError(
            f"This process stood still for so long that its programs were ended: {failure.message}"
        )

    async def run(self, work: Awaitable[Result]) -> Result:
        """Do some work unless, or until, the build is interrupted.

        :raises VmwrightError: the reason of the interruption, once the work has cleaned up after itself.
        """
        task = asyncio.ensure_future(work)
        if self.reason is not None:
            task.cancel()
            # it may have been under way, or done, before
            await asyncio.wait([task])
            raise self.reason
        self._running.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if self.reason is None:
                raise
            raise self.reason from None
        finally:
            self._running.discard(task)
