"""A second file with the same bytes, in the cheapest way that the file system has.

Nothing is read for it but where only a copy is left. A hard link is one file by two names: it is made
read-only, so that nobody changes one by the other.
"""

from __future__ import annotations

import asyncio
import fcntl
from enum import StrEnum
from typing import TYPE_CHECKING

from vmwright.artifacts import files

if TYPE_CHECKING:
    from pathlib import Path

READ_ONLY = 0o444
# _IOW(0x94, 9, int) of linux/fs.h
FICLONE = 0x40049409


class Placed(StrEnum):
    """How a second file came about."""

    CLONE = "shares its blocks with the first"
    LINK = "the same file by another name, read-only"
    COPY = "a copy"


async def duplicate(source: Path, part: Path) -> Placed:
    """Make ``part``, which is not there yet, a file with the bytes of ``source``.

    :raises ProcessError: it can only be copied, and that fails, in the words of ``cp``.
    :raises OSError: there is no such source.
    """
    if await asyncio.to_thread(_clone, source, part):
        return Placed.CLONE
    if _link(source, part):
        return Placed.LINK
    await files.copy(source, part)
    return Placed.COPY


def _clone(source: Path, part: Path) -> bool:
    """Let a new file share the blocks of another; False where the file system cannot."""
    with source.open("rb") as shared, part.open("xb") as made:
        try:
            fcntl.ioctl(made.fileno(), FICLONE, shared.fileno())
        except OSError:
            part.unlink()
            return False
    return True


def _link(source: Path, part: Path) -> bool:
    """Give a file a second name, and take away the right to write it; False where that cannot be."""
    try:
        part.hardlink_to(source)
    except OSError:
        return False
    try:
        part.chmod(READ_ONLY)
    except OSError:
        part.unlink()
        return False
    return True
