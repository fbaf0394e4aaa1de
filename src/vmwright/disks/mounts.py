"""Mounts of this host: asking for them, thawing them, taking them away. All by path alone, again and again,
so that they serve a clean end and the clearing up after a crash alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.disks.freezing import freeze_now, thaw_now
from vmwright.disks.uncut import uncut
from vmwright.errors import ProcessError
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.state.resources import Ledger

SECONDS = 20.0
BUSY_TRIES = 40
BUSY_PAUSE = 0.05


def mounted(path: Path) -> bool:
    """Return whether something is mounted on ``path``; asks the kernel's table, so a dead mount counts."""
    return str(path) in (_unescaped(line.split()[4]) for line in _table())


def mounts_in(folder: Path) -> list[Path]:
    """Return what is mounted on ``folder`` or anywhere below it."""
    points = (Path(_unescaped(line.split()[4])) for line in _table())
    return [point for point in points if point.is_relative_to(folder)]


@contextlib.asynccontextmanager
async def shared(folder: Path, ledger: Ledger) -> AsyncIterator[None]:
    """Let what is unmounted below ``folder`` be unmounted everywhere, while the block runs.

    Every container starts with a copy of this host's mounts. On hosts whose own mounts are private (those
    without systemd), such a copy would hold the disk of another build for as long as its container lives.
    """
    claim = ledger.claim(ResourceKind.MOUNT, folder)
    try:
        await process.run(["mount", "--bind", "--make-shared", folder, folder], timeout=SECONDS)
        yield
    finally:
        await unmount(folder)
        ledger.release(claim)


async def freeze(folder: Path) -> None:
    """Freeze a file system, to the end also where this task is cancelled: who thaws it must come after that.

    :raises ProcessError: it cannot be frozen, or its disk is gone.
    """
    try:
        await uncut(asyncio.to_thread(freeze_now, folder))
    except OSError as error:
        raise ProcessError(f"{folder} cannot be frozen: {error}", target=str(folder)) from None


async def thaw(folder: Path) -> None:
    """Let a file system go on that a checkpoint has frozen; does nothing where it is not frozen."""
    await uncut(asyncio.to_thread(thaw_now, folder))


async def unmount(path: Path) -> None:
    """Unmount what is on ``path`` (a folder, or a file under FUSE); does nothing where nothing is.

    Thaw first: unmounting a frozen file system succeeds, and then nothing can thaw it any more.

    :raises ProcessError: it stays busy.
    """
    for _ in range(BUSY_TRIES):
        if not mounted(path):
            return
        # no canonicalising: it would ask a FUSE file whose daemon may be dead
        ended = await process.run(["umount", "--no-canonicalize", path], timeout=SECONDS, check=False)
        if ended.returncode != 0:
            await asyncio.sleep(BUSY_PAUSE)  # whoever dies with the mount open gives no event
    if mounted(path):
        raise ProcessError(f"{path} stays busy and cannot be unmounted", target=str(path))


def _table() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()


def _unescaped(field: str) -> str:
    """Undo the kernel's octal escapes of blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
