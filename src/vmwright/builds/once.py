"""Work that may begin before it is asked for, beside other work, and is done once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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

    @property
    def has_begun(self) -> bool:
        """Whether it is under way, or done."""
        return self._task is not None

    def begin(self) -> asyncio.Task[Result]:
        """Begin with it now."""
        self._task = asyncio.create_task(self._interrupts.run(self._work()))
        return self._task

    async def __call__(self) -> Result:
        """Return its result, once it is there."""
        return await (self._task or self.begin())

    async def unless(self, beside: Once[Any]) -> Result:
        """Return its result; where what has begun beside it fails before that, raise that failure."""
        mine = self._task or self.begin()
        if beside._task is not None:
            await asyncio.wait((mine, beside._task), return_when=asyncio.FIRST_COMPLETED)
            if not mine.done():
                beside._task.result()
        return await mine

    async def drop(self) -> None:
        """End it where nobody wants its result any more."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # whoever wanted it has it; asyncio would print it
