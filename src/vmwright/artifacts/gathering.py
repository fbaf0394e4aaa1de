"""A disk file made of parts of other files in one pass: copied, read back, compared, summed.

Several threads do that, and the disk writes meanwhile. It may begin before the last of those files is there.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from vmwright.artifacts import sums
from vmwright.artifacts.extents import (
    BLOCK,
    aligned,
    are_equal,
    begin_write_back,
    clear,
    open_past_cache,
)
from vmwright.artifacts.sums import PIECE, Piece, Sums

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """``length`` bytes at ``start`` of the new file, which are those at ``offset`` of another one."""

    start: int
    length: int
    file: Path
    offset: int


class Gathering:
    """A file that is made of parts of others, and again of other parts: only what differs is written then.

    Pieces of zeros are holes. It is not flushed, but most of it is on its way to the disk.

    :param destination: one hole of ``size`` bytes.
    """

    def __init__(self, destination: Path, size: int) -> None:
        self.size = size
        self._destination = destination
        self._parts: dict[int, list[Part]] = {}
        self._pieces: dict[int, Piece] = {}

    async def write(
        self, parts: Iterable[Part], *, progress: ProgressSink | None = None, threads: int = sums.THREADS
    ) -> Sums:
        """Make the file of these parts, and return the sums of what is read back of it.

        Once a write has failed, or was cancelled, the file is good for nothing.

        :param parts: none reaches over another one, or beyond the end of the file; the files that they are of
            stay as they are.
        :param progress: given bytes done and bytes in all, of those that are to be written.
        :raises OSError: the disk is full; a part is not there; what is read back is something else.
        """
        before, self._parts = self._parts, _by_piece(parts)
        differing = [
            number
            for number in sorted(before.keys() | self._parts.keys())
            if before.get(number) != self._parts.get(number)
        ]
        data = {number for number in differing if self._pieces.pop(number, None)}

        def write(numbers: Sequence[int]) -> dict[int, Piece]:
            pieces = {number: self._parts.get(number, []) for number in numbers}
            return _written(pieces, self._destination, self.size, data)

        found = await sums.in_batches(differing, self.size, write, progress=progress, threads=threads)
        self._pieces.update((piece.offset // PIECE, piece) for piece in found.pieces)
        return Sums(
            size_bytes=self.size, pieces=tuple(self._pieces[number] for number in sorted(self._pieces))
        )


def _by_piece(parts: Iterable[Part]) -> dict[int, list[Part]]:
    """Return what of the parts is in each piece of the new file, by its number, in their order there."""
    found: dict[int, list[Part]] = {}
    for one in sorted(parts, key=lambda part: part.start):
        for number, part in _cut(one):
            found.setdefault(number, []).append(part)
    return found


def _cut(part: Part) -> Iterator[tuple[int, Part]]:
    """Yield what of a part is in which piece of the new file."""
    at, stop = part.start, part.start + part.length
    while at < stop:
        number = at // PIECE
        until = min(stop, (number + 1) * PIECE)
        yield number, Part(start=at, length=until - at, file=part.file, offset=part.offset + at - part.start)
        at = until


def _written(
    pieces: Mapping[int, Sequence[Part]], destination: Path, size: int, data: Collection[int]
) -> dict[int, Piece]:
    """Write some pieces of a file, begin to flush them, and return those that are not all zeros.

    :param data: which of them have been written before; the others are holes.
    """
    found: dict[int, Piece] = {}
    with contextlib.ExitStack() as stack:
        # opened for each batch: a thread that nobody waits for any more has no file of others in its hands
        new = stack.enter_context(_Destination(destination))
        opened = {
            file: stack.enter_context(file.open("rb", buffering=0)).fileno()
            for file in {part.file for parts in pieces.values() for part in parts}
        }
        wanted, back = aligned(PIECE), aligned(PIECE)
        for number, parts in pieces.items():
            start, length = number * PIECE, sums.length_of(number, size)
            wanted, back = wanted[:length], back[:length]
            _fill(wanted, start, parts, opened)
            if piece := sums.piece_of(number, wanted):
                new.write(wanted, start)
                found[number] = piece
            elif number in data:
                new.clear(start, length)
            else:
                continue
            new.read(back, start)
            if not are_equal(back, wanted):
                raise OSError(errno.EIO, "other bytes are read of it than were written", str(destination))
        first, last = min(pieces), max(pieces)
        new.begin_write_back(first * PIECE, (last + 1 - first) * PIECE)
    return found


class _Destination:
    """The new file, open: past the page cache where that can be, for nobody reads it soon."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks, self._is_past_cache = open_past_cache(path)
        self._bytes = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._blocks)
        os.close(self._bytes)

    def write(self, data: memoryview, start: int) -> None:
        _write(self._of(len(data)), data, start)

    def read(self, into: memoryview, start: int) -> None:
        _read(self._of(len(into)), into, start, self._path)

    def clear(self, start: int, length: int) -> None:
        clear(self._bytes, start, length)

    def begin_write_back(self, start: int, length: int) -> None:
        if not self._is_past_cache:
            begin_write_back(self._bytes, start, length)

    def _of(self, length: int) -> int:
        return self._bytes if length % BLOCK else self._blocks


def _fill(data: memoryview, start: int, parts: Sequence[Part], opened: Mapping[Path, int]) -> None:
    """Read the parts of the piece that begins at ``start``; between them it is zeros."""
    if sum(part.length for part in parts) < len(data):
        data[:] = bytes(len(data))
    for part in parts:
        at = part.start - start
        _read(opened[part.file], data[at : at + part.length], part.offset, part.file)


def _read(descriptor: int, into: memoryview, offset: int, file: Path) -> None:
    if os.preadv(descriptor, [into], offset) != len(into):
        raise OSError(errno.EIO, "it was cut off while it was read", str(file))


def _write(descriptor: int, data: memoryview, start: int) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], start + written)
