"""Compressed disks: unpacked piece by piece, with their zeros as holes, never beyond a size."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING, BinaryIO

from vmwright.errors import SourceError
from vmwright.events import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedIOBase
    from pathlib import Path

    from vmwright.events import Events

GIB = 1 << 30
# More than any vendor's disk has; Azure's largest OS disk has 4 TiB.
LARGEST = 256 * GIB
CHUNK = 4 << 20
ZEROS = bytes(CHUNK)
OPENERS: dict[bytes, Callable[[Path], BufferedIOBase]] = {
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"\x1f\x8b\x08": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
}
ZSTANDARD = b"\x28\xb5\x2f\xfd"
# bz2 and gzip say OSError
DAMAGES = (lzma.LZMAError, zlib.error, EOFError, OSError)


async def unpacked(disk: Path, folder: Path, events: Events, *, largest: int = LARGEST) -> Path:
    """Return a disk as it is without xz, gzip or bzip2 around it: itself, or a new file in ``folder``.

    What it is, is read from its first bytes.

    :param largest: the most bytes that it may have.
    :raises SourceError: it is damaged, larger than that, or packed with Zstandard.
    """
    with disk.open("rb") as file:
        head = file.read(8)
    if head.startswith(ZSTANDARD):
        raise SourceError(
            f"{disk.name} is packed with Zstandard, which vmwright does not read",
            target=str(disk),
            hint="unpack it first: zstd -d",
        )
    for magic, opener in OPENERS.items():
        if head.startswith(magic):
            whole = folder / "unpacked"
            with opener(disk) as packed, whole.open("wb") as out:
                await _copy(packed, out, disk, events, largest=largest)
            return whole
    return disk


async def _copy(packed: BufferedIOBase, out: BinaryIO, disk: Path, events: Events, *, largest: int) -> None:
    size = 0
    while chunk := await _read(packed, disk):
        size += len(chunk)
        if size > largest:
            raise SourceError(
                f"{disk.name} unpacks to more than {largest // GIB} GiB, the most that a disk may have",
                target=str(disk),
            )
        await asyncio.to_thread(_write, out, chunk)
        events.say(Progress(what=f"unpacking {disk.name}", done=size))
    out.truncate(size)


async def _read(packed: BufferedIOBase, disk: Path) -> bytes:
    try:
        return await asyncio.to_thread(packed.read, CHUNK)
    except DAMAGES as error:
        raise SourceError(f"{disk.name} cannot be unpacked: {error}", target=str(disk)) from None


def _write(out: BinaryIO, chunk: bytes) -> None:
    if chunk == memoryview(ZEROS)[: len(chunk)]:
        out.seek(len(chunk), 1)
    else:
        out.write(chunk)
