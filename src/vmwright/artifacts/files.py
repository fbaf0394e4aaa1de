"""Hashing, copying and flushing of large files; each can be cancelled at any time."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from vmwright.process import run

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 8 << 20
COPY_SECONDS = 4 * 3600.0
ProgressSink = Callable[[int, int], None]


async def sha256_of(path: Path, *, progress: ProgressSink | None = None) -> str:
    """Return the SHA-256 of a file in lower-case hex; ``progress`` is given bytes done and bytes in all."""
    digest = hashlib.sha256()
    total = path.stat().st_size
    done = 0
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(_next, file, digest):
            done += chunk
            if progress:
                progress(done, total)
    return digest.hexdigest()


async def copy(source: Path, destination: Path) -> None:
    """Copy a file with its holes; a file system that can shares the blocks instead.

    :raises ProcessError: in the words of ``cp`` (no space left, for one).
    """
    await run(
        ["cp", "--reflink=auto", "--sparse=auto", "--no-target-directory", "--", source, destination],
        timeout=COPY_SECONDS,
    )


async def flush(path: Path) -> None:
    """Wait until a file's (or folder's) contents are on the disk."""
    await asyncio.to_thread(flush_now, path)


def flush_now(path: Path) -> None:
    """Do what ``flush`` does, blocking: for a folder after a rename."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _next(file: BinaryIO, digest: hashlib._Hash) -> int:
    chunk = file.read(CHUNK)
    digest.update(chunk)
    return len(chunk)
