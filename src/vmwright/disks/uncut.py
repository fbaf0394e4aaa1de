"""Work beside other work, and work that a cancel must not cut in two."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine


@contextlib.asynccontextmanager
async def beside(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Do something beside the block, which ends when both have; an error of the block comes first."""
    task = asyncio.ensure_future(work)
    try:
        yield
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()


async def uncut(work: Coroutine[Any, Any, object]) -> None:
    """Do something to its end, also where this task is cancelled meanwhile; the cancel goes on then."""
    task = asyncio.ensure_future(work)
    canceled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as reason:
            canceled = reason
    if canceled and not task.cancelled():
        raise canceled from task.exception()
    task.result()
