"""A file put together of parts of others: its bytes, its sums, its holes; nothing wrong passes."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from vmwright.artifacts import extents, gathering
from vmwright.artifacts.files import lay_out
from vmwright.artifacts.gathering import Gathering, Part
from vmwright.artifacts.sums import PIECE, sums_of, sums_when_longer

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 40 * PIECE + 512


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "new"
    lay_out(path, SIZE)
    return path


def source(folder: Path, name: str = "source", size: int = 3 * PIECE) -> Path:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


@pytest.mark.parametrize("past_cache", [True, False])
async def test_parts_are_where_they_belong(
    tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch, *, past_cache: bool
) -> None:
    if not past_cache:  # as on a file system that has no other way
        monkeypatch.setattr(extents, "_gives_blocks", lambda _: False)
    one, other = source(tmp_path, "one"), source(tmp_path, "other")
    parts = (
        Part(start=PIECE - 7, length=2 * PIECE + 9, file=one, offset=3),
        Part(start=3 * PIECE + 2, length=5, file=other, offset=0),
        Part(start=30 * PIECE, length=PIECE, file=other, offset=PIECE),
        Part(start=SIZE - 100, length=100, file=one, offset=0),
    )
    seen: list[tuple[int, int]] = []
    found = await Gathering(new, SIZE).write(parts, progress=lambda done, total: seen.append((done, total)))
    wanted = bytearray(SIZE)
    for part in parts:
        taken = part.file.read_bytes()[part.offset : part.offset + part.length]
        wanted[part.start : part.start + part.length] = taken
    assert new.read_bytes() == wanted
    assert found == await sums_of(new)
    assert seen[-1] == (5 * PIECE + 512, 5 * PIECE + 512)
    assert new.stat().st_blocks * 512 < 8 * PIECE


@pytest.mark.parametrize("has_holes", [True, False])
async def test_what_becomes_zeros_is_cleared(
    tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch, *, has_holes: bool
) -> None:
    gathering = Gathering(new, SIZE)
    await gathering.write([Part(start=0, length=3 * PIECE, file=source(tmp_path), offset=0)])
    if not has_holes:
        library = SimpleNamespace(fallocate=lambda *_: -1, memcmp=extents._library().memcmp)
        monkeypatch.setattr(extents, "_library", lambda: library)
        monkeypatch.setattr(extents, "_errno", lambda: errno.EOPNOTSUPP)
    found = await gathering.write([])
    assert found.pieces == ()
    assert new.read_bytes() == bytes(SIZE)
    assert (new.stat().st_blocks == 0) is has_holes


async def test_zeros_stay_holes(tmp_path: Path, new: Path) -> None:
    zeros = tmp_path / "zeros"
    zeros.write_bytes(bytes(4 * PIECE))
    found = await Gathering(new, SIZE).write([Part(start=0, length=4 * PIECE, file=zeros, offset=0)])
    assert found.pieces == ()
    assert new.stat().st_blocks == 0


async def test_a_file_that_was_cut_off_is_said(tmp_path: Path, new: Path) -> None:
    with pytest.raises(OSError, match="cut off"):
        await Gathering(new, SIZE).write([Part(start=0, length=4 * PIECE, file=source(tmp_path), offset=0)])


async def test_what_is_read_back_is_compared(
    tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_nothing(*_: object) -> None:
        return

    monkeypatch.setattr(gathering, "_write", write_nothing)
    with pytest.raises(OSError, match="other bytes are read"):
        await Gathering(new, SIZE).write([Part(start=0, length=PIECE, file=source(tmp_path), offset=0)])


async def test_only_what_was_added_is_read(tmp_path: Path) -> None:
    path = source(tmp_path)
    before = await sums_of(path)
    with path.open("r+b") as file:
        file.write(b"not read again")
        file.seek(0, os.SEEK_END)
        file.write(b"footer")
    after = await sums_when_longer(before, path)
    assert after.size_bytes == 3 * PIECE + 6
    assert after.pieces[:3] == before.pieces
    assert after.pieces[3:] == (await sums_of(path)).pieces[3:]
