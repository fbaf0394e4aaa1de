"""Finished files are checked against the sums that lie beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vmwright.artifacts.publish import Summing, publish
from vmwright.artifacts.sums import PIECE
from vmwright.artifacts.verifying import verify
from vmwright.errors import VmwrightError
from vmwright.state.resources import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.state.database import Database


async def published(path: Path, database: Database, summing: Summing) -> Path:
    async def write(part: Path) -> None:
        with part.open("wb") as file:
            file.write(b"data")
            file.truncate(9 * PIECE)

    await publish(write, path, writing=database.session, ledger=Ledger(database), summing=summing)
    return path


def change(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"x")


@pytest.mark.parametrize("summing", Summing)
async def test_a_file_as_it_was_written_is_right(
    tmp_path: Path, database: Database, summing: Summing
) -> None:
    await verify(await published(tmp_path / "a.vhd", database, summing))


async def test_the_pieces_that_differ_are_named(tmp_path: Path, database: Database) -> None:
    path = await published(tmp_path / "a.vhd", database, Summing.PIECES)
    change(path, 5 * PIECE + 3)
    with pytest.raises(VmwrightError, match=rf"differs .* in {PIECE} bytes from {5 * PIECE} on$"):
        await verify(path)
    for piece in (1, 2, 3):
        change(path, piece * PIECE)
    with pytest.raises(VmwrightError, match=f"{PIECE} bytes from {PIECE} on, .* and 1 more pieces$"):
        await verify(path)


async def test_a_dense_file_that_was_changed_is_found(tmp_path: Path, database: Database) -> None:
    path = await published(tmp_path / "a.qcow2", database, Summing.WHOLE)
    change(path, 0)
    with pytest.raises(VmwrightError, match="has the SHA-256"):
        await verify(path)


async def test_a_file_of_another_length_is_found(tmp_path: Path, database: Database) -> None:
    path = await published(tmp_path / "a.vhd", database, Summing.PIECES)
    with path.open("r+b") as file:
        file.truncate(8 * PIECE)
    with pytest.raises(VmwrightError, match=f"has {8 * PIECE} bytes, not {9 * PIECE}"):
        await verify(path)


async def test_sums_that_were_changed_are_not_believed(tmp_path: Path, database: Database) -> None:
    path = await published(tmp_path / "a.vhd", database, Summing.PIECES)
    sums = tmp_path / "a.vhd.sums"
    sums.write_text(sums.read_text().replace("  0  ", "  1048576  "))
    with pytest.raises(VmwrightError, match=r"a\.vhd\.sums has the SHA-256"):
        await verify(path)


async def test_a_file_without_sums_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.vhd").write_text("")
    with pytest.raises(VmwrightError, match="no sums beside it"):
        await verify(tmp_path / "a.vhd")
