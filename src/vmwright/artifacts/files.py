"""Hashing, copying and flushing of large files; each can be cancelled at any time."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

CHUNK = 8 << 20
ZEROS = bytes(CHUNK)
PIECE = 1 << 20
COPY_SECONDS = 4 * 3600.0
ProgressSink = Callable[[int, int], None]


async def sha256_of(path: Path, *, progress: ProgressSink | None = None) -> str:
    """Return the SHA-256 of a file in lower-case hex; ``progress`` is given bytes done and bytes in all.

    Holes are not read: a disk is mostly holes, and reading them takes several times as long as hashing zeros.
    """
    digest = hashlib.sha256()
    total = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        for piece in _pieces(file.fileno(), total):
            await asyncio.to_thread(_feed, digest, file, piece)
            if progress:
                progress(piece.stop, total)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a file, ``CHUNK`` bytes at most, that is either data or a hole."""

    start: int
    stop: int
    is_hole: bool


def data_extents(descriptor: int, total: int) -> Iterator[tuple[int, int]]:
    """Yield where a file of ``total`` bytes has data: start and stop of each part that is no hole."""
    offset = 0
    while offset < total:
        data = _seek(descriptor, offset, os.SEEK_DATA, total)
        offset = _seek(descriptor, data, os.SEEK_HOLE, total)
        if data < offset:
            yield data, offset


def read_piece(descriptor: int, start: int, stop: int) -> bytes:
    """Return the bytes from ``start`` on, ``PIECE`` and up to ``stop`` at most; b"" behind the file's end.

    A hole is not read.
    """
    stop = min(stop, start + PIECE, os.fstat(descriptor).st_size)
    data = _seek(descriptor, start, os.SEEK_DATA, stop) if start < stop else stop
    if start < data:
        return ZEROS[: data - start]
    return os.pread(descriptor, stop - start, start)


def _pieces(descriptor: int, total: int) -> Iterator[_Piece]:
    done = 0
    for data, hole in itertools.chain(data_extents(descriptor, total), [(total, total)]):
        for start, stop, is_hole in ((done, data, True), (data, hole, False)):
            for at in range(start, stop, CHUNK):
                yield _Piece(at, min(at + CHUNK, stop), is_hole)
        done = hole


def _seek(descriptor: int, offset: int, whence: int, total: int) -> int:
    """Return where the next data (or hole) begins; the file's end where there is none."""
    try:
        return min(os.lseek(descriptor, offset, whence), total)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return total
        raise


def _feed(digest: hashlib._Hash, file: FileIO, piece: _Piece) -> None:
    if piece.is_hole:
        digest.update(memoryview(ZEROS)[: piece.stop - piece.start])
        return
    # piece by piece through one buffer: it stays in the processor's cache, and the process small
    buffer = memoryview(bytearray(PIECE))
    for at in range(piece.start, piece.stop, PIECE):
        file.seek(at)
        read = file.readinto(buffer[: min(PIECE, piece.stop - at)])
        digest.update(buffer[:read])


def lay_out(path: Path, size_bytes: int) -> None:
    """Make a file of a length that is one hole."""
    with path.open("xb") as file:
        file.truncate(size_bytes)


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
