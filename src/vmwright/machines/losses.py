"""Telling a machine that was lost, a program of this host killed under it, from one that its guest ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.errors import MachineLostError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmwright.process import Running

# what a program's end cuts off (a connection, a disk) is often noticed before the end itself
NOTICE_SECONDS = 0.5


def loss(program: str, running: Running) -> MachineLostError:
    """Return the error that names the program which was killed."""
    code = running.returncode
    how = f"was killed by signal {-code}" if code and code < 0 else "was ended from outside"
    return MachineLostError(
        f"The machine was lost: {program} {how}",
        hint="by somebody, or for want of memory? `journalctl -k` tells of the latter",
    )


async def an_end(programs: Iterable[Running | None]) -> None:
    """Wait until one of the programs has ended, for a moment only."""
    waiting = [asyncio.ensure_future(running.wait()) for running in programs if running]
    if not waiting:
        return
    try:
        await asyncio.wait(waiting, timeout=NOTICE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
