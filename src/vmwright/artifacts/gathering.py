"""A disk file made of parts of other files in one pass: copied, read back, compared, summed.

Several threads do that, and the disk writes meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.artifacts import sums
from vmwright.artifacts.sums import PIECE
from vmwright.artifacts.write_back import begin_write_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink
    from vmwright.artifacts.sums import Piece, Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """``length`` bytes at ``start`` of the new file, which are those at ``offset`` of another one."""

    start: int
    length: int
    file: Path
    offset: int


async def gather(parts: Iterable[Part], destination: Path, *, progress: ProgressSink | None = None) -> Sums:
    """Write the parts into a file that is one hole, and return the sums of what is read back of it.

    Pieces of zeros stay holes. The file is not flushed, but most of it is on its way to the disk.

    :param parts: none reaches over another one, or beyond the end of the file.
    :param progress: given bytes done and bytes in all, of those that are data.
    :raises OSError: the disk is full; a part is not there; what is read back is something else.
    """
    size = destination.stat().st_size
    in_piece: defaultdict[int, list[Part]] = defaultdict(list)
    for one in parts:
        for number, part in _cut(one):
            in_piece[number].append(part)

    def write(numbers: Sequence[int]) -> dict[int, Piece]:
        return _written({number: in_piece[number] for number in numbers}, destination, size)

    return await sums.in_batches(sorted(in_piece), size, write, progress=progress)


def _cut(part: Part) -> Iterator[tuple[int, Part]]:
    """Yield what of a part is in which piece of the new file."""
    at, stop = part.start, part.start + part.length
    while at < stop:
        number = at // PIECE
        until = min(stop, (number + 1) * PIECE)
        yield number, Part(start=at, length=until - at, file=part.file, offset=part.offset + at - part.start)
        at = until


def _written(pieces: Mapping[int, Sequence[Part]], destination: Path, size: int) -> dict[int, Piece]:
    """Write some pieces of a file, begin to flush them, and return those that are not all zeros."""
    found: dict[int, Piece] = {}
    with contextlib.ExitStack() as stack:
        # opened for each batch: a thread that nobody waits for any more has no file of others in its hands
        new = stack.enter_context(destination.open("r+b", buffering=0)).fileno()
        opened = {
            file: stack.enter_context(file.open("rb", buffering=0)).fileno()
            for file in {part.file for parts in pieces.values() for part in parts}
        }
        data, back = bytearray(PIECE), bytearray(PIECE)
        for number, parts in pieces.items():
            start, length = number * PIECE, sums.length_of(number, size)
            if length < len(data):
                data, back = bytearray(length), bytearray(length)
            _fill(data, start, parts, opened)
            if piece := sums.piece_of(number, data):
                _write(new, memoryview(data), start)
                _read(new, memoryview(back), start, destination)
                if back != data:
                    raise OSError(errno.EIO, "other bytes are read of it than were written", str(destination))
                found[number] = piece
        first, last = min(pieces), max(pieces)
        begin_write_back(new, first * PIECE, (last + 1 - first) * PIECE)
    return found


def _fill(data: bytearray, start: int, parts: Sequence[Part], opened: Mapping[Path, int]) -> None:
    """Read the parts of the piece that begins at ``start``; between them it is zeros."""
    if sum(part.length for part in parts) < len(data):
        data[:] = bytes(len(data))
    view = memoryview(data)
    for part in parts:
        at = part.start - start
        _read(opened[part.file], view[at : at + part.length], part.offset, part.file)


def _read(descriptor: int, into: memoryview, offset: int, file: Path) -> None:
    if os.preadv(descriptor, [into], offset) != len(into):
        raise OSError(errno.EIO, "it was cut off while it was read", str(file))


def _write(descriptor: int, data: memoryview, start: int) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], start + written)
