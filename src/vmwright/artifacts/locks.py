"""One at a time among the processes of this host, or among all that share a database."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from vmwright.state.database import Database

POLL_SECONDS = 0.2


@contextlib.asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold a lock while the block runs; its file is there only so long. A dead process holds none.

    :raises OSError: the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = await _lock(path)
    try:
        yield
    finally:
        unlock(path, descriptor)


@contextlib.asynccontextmanager
async def alone(database: Database, name: str) -> AsyncIterator[Callable[[], None]]:
    """Hold a name, one at a time among all who share the database, while the block runs.

    :returns: what raises where it is not held any more: to be called before each change in the block.
    :raises VmwrightError: the database cannot be used, or the name was lost.
    :raises OSError: the file of the lock cannot be made.
    """
    if database.folder is None:
        async with database.holding(name) as make_sure:
            yield make_sure
    else:
        async with locked(database.folder / f".{name}.lock"):
            yield lambda: None


async def _lock(path: Path) -> int:
    while True:
        if (descriptor := try_lock(path)) is not None:
            return descriptor
        # The kernel tells nobody that a lock is free, and a thread that waits for it cannot be cancelled.
        await asyncio.sleep(POLL_SECONDS)


def try_lock(path: Path) -> int | None:
    """Take a lock and return what ``unlock`` wants, or None where another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(path.stat(), os.fstat(descriptor)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        return None
    # who had it before has removed the file that was locked here
    os.close(descriptor)
    return None


def unlock(path: Path, descriptor: int) -> None:
    """Give a lock back."""
    path.unlink(missing_ok=True)
    os.close(descriptor)
