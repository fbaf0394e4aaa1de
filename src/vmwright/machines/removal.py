"""Removing what a machine has on its host: never by half."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def to_its_end(removal: Coroutine[None, None, None]) -> None:
    """Remove something, to the end also where this task is cancelled meanwhile; the cancel goes on then.

    What was cut short would stay: a build whose machine is being removed after a loss may be cancelled, too.

    :raises VmwrightError: something stays.
    """
    task = asyncio.ensure_future(removal)
    canceled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as reason:
            canceled = reason
    if canceled and not task.cancelled():
        raise canceled from task.exception()
    task.result()
