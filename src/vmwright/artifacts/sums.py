"""The sums of a disk file: the SHA-256 of each piece of it that is data. Zeros are neither read nor listed.

A disk is mostly holes, and hashing 64 GiB of zeros takes a minute. Pieces of zeros count as absent, whether
they are holes or were written, so that two files with the same bytes always have the same sums.

As a text (``NAME.sums`` beside a file): a line that says how to read it, with the length of the file, then
``<sha256>  <offset>  <length>`` for each piece. The SHA-256 of that text is the *data digest* of the file.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import os
import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from vmwright.artifacts.extents import aligned, are_equal
from vmwright.artifacts.files import data_extents
from vmwright.artifacts.together import each
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink

PIECE = 1 << 20
ENDING = ".sums"
_BATCH = 16
# more than there are processors: a reader waits for a disk that has nothing of the file in memory
THREADS = 4
_ZEROS = aligned(PIECE)
_HEAD = (
    "# sums of pieces, version 1: of {size} bytes, each line below has the SHA-256, the offset and the "
    "length of a piece; all other bytes are zeros\n"
)
_HEAD_PATTERN = re.compile(re.escape(_HEAD.strip()).replace(r"\{size\}", r"(\d{1,19})"))
_LINE = re.compile(r"([0-9a-f]{64})  (\d{1,19})  (\d{1,19})")


@dataclass(frozen=True, slots=True)
class Piece:
    """``length`` bytes of a file, of which at least one is not zero, and their SHA-256 in lower-case hex."""

    sha256: str
    offset: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Sums:
    """The sums of a file of ``size_bytes``: its pieces in their order."""

    size_bytes: int
    pieces: tuple[Piece, ...]

    @cached_property
    def text(self) -> str:
        """The sums as they are written beside a file."""
        lines = (f"{one.sha256}  {one.offset}  {one.length}\n" for one in self.pieces)
        return _HEAD.format(size=self.size_bytes) + "".join(lines)

    @cached_property
    def digest(self) -> str:
        """The data digest: the SHA-256 of ``text`` in lower-case hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def differing(self, other: Sums) -> tuple[Piece, ...]:
        """Return the pieces in which the other file differs: as they are here, or there if this has zeros."""
        mine, theirs = ({one.offset: one for one in sums.pieces} for sums in (self, other))
        offsets = sorted(at for at in mine.keys() | theirs.keys() if mine.get(at) != theirs.get(at))
        return tuple(mine.get(at) or theirs[at] for at in offsets)


async def sums_of(path: Path, *, progress: ProgressSink | None = None) -> Sums:
    """Return the sums of a file, read by several threads; its holes are not read.

    :param progress: given bytes done and bytes in all, of those that are data.
    :raises OSError: the file cannot be read, or is cut off meanwhile.
    """
    size, numbers = await asyncio.to_thread(_with_data, path)
    return await in_batches(numbers, size, partial(_summed, path, size), progress=progress)


async def in_batches(
    numbers: Sequence[int],
    size: int,
    work: Callable[[Sequence[int]], dict[int, Piece]],
    *,
    progress: ProgressSink | None = None,
    threads: int = THREADS,
) -> Sums:
    """Return the sums of a file of ``size`` bytes, of which several threads do some pieces each.

    :param numbers: of the pieces that may have data.
    :param work: does some pieces, and returns by their numbers those that are not all zeros.
    :param progress: given bytes done and bytes in all, of those that may have data.
    """
    batches = [numbers[at : at + _BATCH] for at in range(0, len(numbers), _BATCH)]
    total = sum(length_of(number, size) for number in numbers)
    found: dict[int, Piece] = {}
    done = 0

    async def take(batch: Sequence[int]) -> None:
        nonlocal done
        found.update(await asyncio.to_thread(work, batch))
        done += sum(length_of(number, size) for number in batch)
        if progress:
            progress(done, total)

    await each(batches, take, at_once=threads)
    return Sums(size_bytes=size, pieces=tuple(found[number] for number in sorted(found)))


async def sums_when_longer(before: Sums, path: Path) -> Sums:
    """Return the sums of a file of whole pieces to whose end something was added since: only that is read.

    :raises OSError: the file cannot be read.
    """
    size = path.stat().st_size
    numbers = range(before.size_bytes // PIECE, -(-size // PIECE))
    added = await in_batches(numbers, size, partial(_summed, path, size))
    return Sums(size_bytes=size, pieces=before.pieces + added.pieces)


async def data_digest(path: Path, *, progress: ProgressSink | None = None) -> str:
    """Return the data digest of a file: ``sums_of(path).digest``.

    :raises OSError: the file cannot be read, or is cut off meanwhile.
    """
    return (await sums_of(path, progress=progress)).digest


def read_sums(path: Path) -> Sums:
    """Read sums that were written as a text.

    :raises VmwrightError: the file holds something else.
    :raises OSError: it cannot be read.
    """
    try:
        return _parse(path.read_text(encoding="ascii"))
    except ValueError as error:
        raise VmwrightError(
            f"{path} has no sums of pieces: {error}",
            target=str(path),
            hint="it was changed, or another version wrote it",
        ) from None


def _parse(text: str) -> Sums:
    head, *lines = text.splitlines() or [""]
    size = int(_matched(_HEAD_PATTERN, head)[1])
    pieces = tuple(_piece(line, size) for line in lines)
    if any(one.offset >= other.offset for one, other in itertools.pairwise(pieces)):
        raise ValueError("its pieces are not in their order")
    return Sums(size_bytes=size, pieces=pieces)


def _matched(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    if found := pattern.fullmatch(line):
        return found
    raise ValueError(f"{line[:80]!r} cannot be read")


def _piece(line: str, size: int) -> Piece:
    found = _matched(_LINE, line)
    offset, length = int(found[2]), int(found[3])
    if offset % PIECE or offset >= size or length != length_of(offset // PIECE, size):
        raise ValueError(f"{line!r} is no piece of {size} bytes")
    return Piece(found[1], offset, length)


def length_of(number: int, size: int) -> int:
    """Return the length of a piece of a file of ``size`` bytes; only the last one is shorter than others."""
    return min(PIECE, size - number * PIECE)


def piece_of(number: int, data: memoryview) -> Piece | None:
    """Return the sum of a piece, by its number and its bytes; None: it is all zeros."""
    if are_equal(data, _ZEROS[: len(data)]):
        return None
    return Piece(hashlib.sha256(data).hexdigest(), number * PIECE, len(data))


def _with_data(path: Path) -> tuple[int, list[int]]:
    """Return the length of a file, and the numbers of its pieces that are not wholly holes."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        numbers: dict[int, None] = {}
        for start, stop in data_extents(file.fileno(), size):
            numbers |= dict.fromkeys(range(start // PIECE, -(-stop // PIECE)))
    return size, list(numbers)


def _summed(path: Path, size: int, numbers: Sequence[int]) -> dict[int, Piece]:
    """Return those of the pieces that are not all zeros."""
    found: dict[int, Piece] = {}
    buffer = aligned(PIECE)
    with path.open("rb", buffering=0) as file:
        for number in numbers:
            length = length_of(number, size)
            data = buffer[:length]
            if os.preadv(file.fileno(), [data], number * PIECE) != length:
                raise OSError(errno.EIO, "it was cut off while it was read", str(path))
            if piece := piece_of(number, data):
                found[number] = piece
    return found
