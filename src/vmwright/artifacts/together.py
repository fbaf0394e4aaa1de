"""Several pieces of work at once, of which the first failure ends all."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

Item = TypeVar("Item")


@contextlib.asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """Give a group for tasks, which are waited for at the end; the first failure is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise _first(errors) from None


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[object]], *, at_once: int) -> None:
    """Do the work for each item, some ``at_once``; the first failure cancels the rest, and is raised."""
    waiting = iter(items)

    async def take() -> None:
        for item in waiting:
            await work(item)

    async with together() as group:
        for _ in range(at_once):
            group.create_task(take())


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    one = errors.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
