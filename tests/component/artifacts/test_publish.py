from __future__ import annotations

import asyncio
import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from vmwright.artifacts import publish as publishing
from vmwright.artifacts.publish import check_writable, publish
from vmwright.errors import DistributeError, ProcessError
from vmwright.state.resources import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.state.database import Database


async def put(folder: Path, name: str, body: bytes, database: Database) -> Path:
    async def write(part: Path) -> None:
        part.write_bytes(body)

    published = await publish(write, folder / name, writing=database.session, ledger=Ledger(database))
    assert published.sha256 == hashlib.sha256(body).hexdigest()
    return published.path


async def test_sha256sum_agrees_with_the_sums(tmp_path: Path, database: Database) -> None:
    out = tmp_path / "out"
    for name, body in (("a.vhd", b"1"), ("b c.qcow2", b"2"), ("back\\slash", b"3"), ("a.vhd", b"new")):
        await put(out, name, body, database)
    checked = await asyncio.to_thread(
        subprocess.run,
        ["/usr/bin/sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.splitlines() == ["b c.qcow2: OK", "back\\slash: OK", "a.vhd: OK"]
    assert sorted(path.name for path in out.iterdir()) == ["SHA256SUMS", "a.vhd", "b c.qcow2", "back\\slash"]


async def test_sums_of_others_stay(tmp_path: Path, database: Database) -> None:
    (tmp_path / "out").mkdir()
    foreign = f"{'0' * 64} *binary.iso"
    (tmp_path / "out" / "SHA256SUMS").write_text(f"{foreign}\n")
    await put(tmp_path / "out", "a.vhd", b"1", database)
    assert (tmp_path / "out" / "SHA256SUMS").read_text().splitlines()[0] == foreign


async def test_holes_stay_holes(tmp_path: Path, database: Database) -> None:
    async def write(part: Path) -> None:
        with part.open("wb") as file:
            file.truncate(64 << 20)

    published = await publish(
        write, tmp_path / "out" / "raw", writing=database.session, ledger=Ledger(database)
    )
    assert published.size_bytes == 64 << 20
    assert published.path.stat().st_blocks * 512 < 1 << 20


def test_a_folder_that_cannot_be_written_is_said_early(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DistributeError, match="cannot be written"):
        check_writable(tmp_path / "file" / "below")
    with pytest.raises(DistributeError, match="cannot be written"):
        check_writable(tmp_path / "file")
    check_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


async def test_a_failed_write_leaves_the_older_file(tmp_path: Path, database: Database) -> None:
    async def write(part: Path) -> None:
        part.write_bytes(b"torn")
        raise ProcessError("No space left on device")

    await put(tmp_path / "out", "a.vhd", b"older", database)
    with pytest.raises(DistributeError, match="No space left"):
        await publish(write, tmp_path / "out" / "a.vhd", writing=database.session, ledger=Ledger(database))
    assert (tmp_path / "out" / "a.vhd").read_bytes() == b"older"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [publishing.SUMS, "a.vhd"]
