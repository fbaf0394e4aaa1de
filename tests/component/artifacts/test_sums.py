"""The sums of disk files: equal for equal bytes, however they are written; cheap for zeros."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from vmwright.artifacts.sums import PIECE, Sums, data_digest, read_sums, sums_of
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from pathlib import Path

DATA = os.urandom(4096)
OF_NINE = Sums(size_bytes=9, pieces=()).text


def disk(path: Path, *, size: int = 40 * PIECE + 512, data: tuple[int, ...] = (0, 7 * PIECE + 9)) -> Path:
    """A file that has something at some places."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset in data:
            file.seek(offset)
            file.write(DATA)
    os.truncate(path, size)
    return path


async def test_pieces_of_data_are_summed_and_no_others(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", data=(0, 7 * PIECE + 9, 40 * PIECE))
    found = await sums_of(path)
    assert [(one.offset, one.length) for one in found.pieces] == [
        (0, PIECE),
        (7 * PIECE, PIECE),
        (40 * PIECE, 512),
    ]
    assert found.size_bytes == 40 * PIECE + 512
    assert found.pieces[2].sha256 == hashlib.sha256(DATA[:512]).hexdigest()
    assert found.pieces[0].sha256 == hashlib.sha256(DATA + bytes(PIECE - 4096)).hexdigest()


async def test_zeros_that_were_written_count_as_holes(tmp_path: Path) -> None:
    holes, written = disk(tmp_path / "holes"), disk(tmp_path / "written")
    written.write_bytes(holes.read_bytes())
    assert written.stat().st_blocks > holes.stat().st_blocks
    assert await sums_of(written) == await sums_of(holes)
    assert await data_digest(written) == await data_digest(holes)


@pytest.mark.parametrize("change", ["a byte", "longer", "shorter", "moved"])
async def test_any_difference_changes_the_digest(tmp_path: Path, change: str) -> None:
    one, other = disk(tmp_path / "one"), disk(tmp_path / "other")
    match change:
        case "a byte":
            with other.open("r+b") as file:
                file.seek(20 * PIECE)
                file.write(b"x")
        case "longer":
            os.truncate(other, 41 * PIECE)
        case "shorter":
            os.truncate(other, 39 * PIECE)
        case "moved":
            disk(other, data=(PIECE, 7 * PIECE + 9))
    assert await data_digest(one) != await data_digest(other)


async def test_holes_of_a_huge_file_are_not_read(tmp_path: Path) -> None:
    path = disk(tmp_path / "huge", size=8 << 40, data=(5 << 40,))
    told: list[tuple[int, int]] = []
    found = await sums_of(path, progress=lambda done, total: told.append((done, total)))
    assert len(found.pieces) == 1
    assert told[-1] == (PIECE, PIECE)


async def test_an_empty_file_has_sums(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert (await sums_of(tmp_path / "empty")).pieces == ()


async def test_sums_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = await sums_of(disk(tmp_path / "disk"))
    (tmp_path / "disk.sums").write_text(found.text)
    assert read_sums(tmp_path / "disk.sums") == found
    assert found.digest == hashlib.sha256((tmp_path / "disk.sums").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        OF_NINE + "x\n",
        OF_NINE + f"{'0' * 64}  0  8\n",
        OF_NINE + f"{'0' * 64}  5  4\n",
        OF_NINE + f"{'0' * 64}  0  9\n" * 2,
        OF_NINE + f"{'0' * 64}  {PIECE}  9\n",
    ],
)
def test_what_is_not_sums_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "disk.sums").write_text(text)
    with pytest.raises(VmwrightError, match="no sums of pieces"):
        read_sums(tmp_path / "disk.sums")


async def test_pieces_that_differ_are_named(tmp_path: Path) -> None:
    one = await sums_of(disk(tmp_path / "one", data=(0, 7 * PIECE)))
    other = await sums_of(disk(tmp_path / "other", data=(0, 9 * PIECE)))
    assert [piece.offset for piece in one.differing(other)] == [7 * PIECE, 9 * PIECE]
    assert one.differing(one) == ()
