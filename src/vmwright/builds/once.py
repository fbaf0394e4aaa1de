"""Work that may begin before it is asked for, and is done once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmwright.builds.interrupts import Interrupts

Result = TypeVar("Result")


class Once(Generic[Result]):
    """Work of a build, which an interrupt of the build ends; called, it gives its result."""

    def __init__(self, work: Callable[[], Awaitable[Result]], interrupts: Interrupts) -> None:
        self._work = work
        self._interrupts = interrupts
        self._task: asyncio.Task[Result] | None = None

    def begin(self) -> asyncio.Task[Result]:
        """Begin with it now."""
        self._task = asyncio.create_task(self._interrupts.run(self._work()))
        return self._task

    async def __call__(self) -> Result:
        """Return its result, once it is there."""
        return await (self._task or self.begin())

    async def drop(self) -> None:
        """End it where nobody wants its result any more."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # whoever wanted it has it; asyncio would print it
