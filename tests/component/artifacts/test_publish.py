from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from vmwright.artifacts.checksums import SUMS
from vmwright.artifacts.duplicates import Placed
from vmwright.artifacts.publish import Summing, check_writable, publish, publish_existing
from vmwright.artifacts.sums import Sums, read_sums, sums_of
from vmwright.errors import DistributeError, ProcessError
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow

if TYPE_CHECKING:
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
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [SUMS, "a.vhd"]


SPARSE = 64 << 20


async def put_sparse(path: Path, database: Database, summing: Summing) -> None:
    async def write(part: Path) -> None:
        with part.open("wb") as file:
            file.truncate(SPARSE)
            file.seek(SPARSE // 2)
            file.write(b"data")

    await publish(write, path, writing=database.session, ledger=Ledger(database), summing=summing)


async def test_a_sparse_file_has_its_sums_beside_it(tmp_path: Path, database: Database) -> None:
    out = tmp_path / "out"
    await put_sparse(out / "a.vhd", database, Summing.PIECES)
    assert read_sums(out / "a.vhd.sums") == await sums_of(out / "a.vhd")
    digest = hashlib.sha256((out / "a.vhd.sums").read_bytes()).hexdigest()
    assert (out / SUMS).read_text() == f"{digest}  a.vhd.sums\n"


async def test_the_sum_of_the_whole_file_is_given_where_it_is_wanted(
    tmp_path: Path, database: Database
) -> None:
    out = tmp_path / "out"
    await put_sparse(out / "a.vhd", database, Summing.BOTH)
    lines = {line[66:]: line[:64] for line in (out / SUMS).read_text().splitlines()}
    assert lines.keys() == {"a.vhd", "a.vhd.sums"}
    assert lines["a.vhd"] == hashlib.sha256((out / "a.vhd").read_bytes()).hexdigest()
    await put_sparse(out / "a.vhd", database, Summing.PIECES)
    assert [line.split("  ")[1] for line in (out / SUMS).read_text().splitlines()] == ["a.vhd.sums"]


async def test_a_check_that_fails_keeps_the_file_from_its_name(tmp_path: Path, database: Database) -> None:
    async def write(part: Path) -> None:
        part.write_bytes(b"wrong")

    async def refuse(part: Path) -> None:
        raise DistributeError(f"{part.name} is wrong")

    with pytest.raises(DistributeError, match=r"^a.vhd is wrong$"):
        await publish(
            write, tmp_path / "out" / "a.vhd", writing=database.session, ledger=Ledger(database), check=refuse
        )
    assert list((tmp_path / "out").iterdir()) == []


async def test_what_was_compared_while_it_was_written_is_not_read_again(
    tmp_path: Path, database: Database
) -> None:
    given = Sums(size_bytes=7, pieces=())

    async def write(part: Path) -> Sums:
        part.write_bytes(b"written")
        return given

    async def refuse(part: Path) -> None:
        raise DistributeError(f"{part.name} is compared again")

    made = await publish(
        write,
        tmp_path / "out" / "a.vhd",
        writing=database.session,
        ledger=Ledger(database),
        summing=Summing.PIECES,
        check=refuse,
    )
    assert made.sums == given == read_sums(tmp_path / "out" / "a.vhd.sums")


async def test_a_finished_file_gets_a_further_name_at_no_cost(tmp_path: Path, database: Database) -> None:
    source, out = tmp_path / "kept", tmp_path / "out"
    source.write_bytes(b"finished" * 1000)
    await put(out, "a.vhd", b"older", database)
    of_source = await sums_of(source)
    for _ in range(2):
        made = await publish_existing(
            source, out / "a.vhd", sums=of_source, writing=database.session, ledger=Ledger(database)
        )
    assert made.placed in {Placed.CLONE, Placed.LINK}
    assert made.path.read_bytes() == source.read_bytes()
    assert made.path.samefile(source) is (made.placed is Placed.LINK)
    mode = 0o444 if made.placed is Placed.LINK else 0o644
    assert stat.S_IMODE(made.path.stat().st_mode) == mode
    assert read_sums(out / "a.vhd.sums") == of_source
    assert (out / SUMS).read_text() == f"{of_source.digest}  a.vhd.sums\n"
    assert sorted(path.name for path in out.iterdir()) == [SUMS, "a.vhd", "a.vhd.sums"]
    with database.session() as session:
        assert session.scalars(select(ResourceRow)).all() == []


async def test_on_another_file_system_it_is_a_copy_with_its_holes(
    tmp_path: Path, elsewhere: Path, database: Database
) -> None:
    source, out = tmp_path / "kept", elsewhere / "out"
    await put_sparse(source, database, Summing.PIECES)
    made = await publish_existing(
        source, out / "a.vhd", sums=await sums_of(source), writing=database.session, ledger=Ledger(database)
    )
    assert made.placed is Placed.COPY
    assert made.path.stat().st_blocks * 512 < SPARSE // 2
    assert await sums_of(made.path) == made.sums
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o644


async def test_a_finished_file_that_was_cut_off_is_not_given_out(tmp_path: Path, database: Database) -> None:
    source, out = tmp_path / "kept", tmp_path / "out"
    source.write_bytes(b"finished")
    of_source = await sums_of(source)
    os.truncate(source, 3)
    with pytest.raises(DistributeError, match="damaged"):
        await publish_existing(
            source, out / "a.vhd", sums=of_source, writing=database.session, ledger=Ledger(database)
        )
    assert list(out.iterdir()) == []
