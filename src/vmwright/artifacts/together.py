"""Several pieces of work at once, of which the first failure ends all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from types import TracebackType

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together:
    """Work that is started within ``async with`` and done at its end.

    The first failure cancels the rest and is raised as it is, not in a group; work that was cancelled by
    itself counts as cancelled, not as done.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Begin some work; its result is there after the ``async with``."""
        task = self._group.create_task(work)
        self._tasks.append(task)
        return task

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        for task in self._tasks:
            task.result()


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[object]], *, at_once: int) -> None:
    """Do the work for each item, some ``at_once``; the first failure cancels the rest, and is raised."""
    waiting = iter(items)

    async def take() -> None:
        for item in waiting:
            await work(item)

    async with Together() as together:
        for _ in range(at_once):
            together.start(take())


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    one = errors.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
