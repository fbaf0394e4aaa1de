"""Replicas and finished files on real file systems: one that shares blocks, and one that cannot."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import nullcontext
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from vmwright.artifacts import Artifact, ArtifactStore, RegionStores, files
from vmwright.artifacts.duplicates import Placed
from vmwright.artifacts.publish import publish_existing
from vmwright.artifacts.sums import sums_of
from vmwright.process import run
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.machine

MIB = 1 << 20
FILE_SYSTEMS = {"xfs": ("-q", "-m", "reflink=1"), "ext4": ("-q", "-F")}
HOW = {"xfs": Placed.CLONE, "ext4": Placed.LINK}


@pytest.fixture(params=FILE_SYSTEMS)
async def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Path, Placed]]:
    """The root of a file system, and how it makes a second file."""
    image, root = tmp_path / "image", tmp_path / "root"
    files.lay_out(image, 512 * MIB)
    root.mkdir()
    await run([f"mkfs.{request.param}", *FILE_SYSTEMS[request.param], image], timeout=60)
    await run(["mount", "-o", "loop", image, root], timeout=60)
    try:
        yield root, HOW[request.param]
    finally:
        await run(["umount", root], timeout=60)


def used(folder: Path) -> int:
    os.sync()
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


async def test_ten_replicas_take_the_place_of_one_and_are_not_read(
    mounted: tuple[Path, Placed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, how = mounted
    body = os.urandom(32 * MIB)
    (home / "new").write_bytes(body)
    database = open_database(Settings(home=tmp_path / "records"))
    artifact = await ArtifactStore(home, database).adopt(home / "new", "qcow2")
    before = await asyncio.to_thread(used, home)

    async def refuse(*_: object, **__: object) -> str:
        raise AssertionError("a replica is read")

    monkeypatch.setattr(files, "sha256_of", refuse)
    monkeypatch.setattr(files, "copy", refuse)
    stores = RegionStores(Settings(home=home))
    paths = [await placed(stores, artifact, f"region{number}", how, Ledger(database)) for number in range(10)]
    assert await asyncio.to_thread(used, home) - before < 4 * MIB
    assert {path.read_bytes() == body for path in paths} == {True}
    database.close()


async def placed(stores: RegionStores, artifact: Artifact, region: str, how: Placed, ledger: Ledger) -> Path:
    path = stores.path(region, PurePosixPath("s/rg/gallery/web/1.0.0"), "qcow2")
    assert await stores.place(artifact, path, region=region, naming=nullcontext, ledger=ledger) is how
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    return path


async def test_a_finished_file_that_shares_its_blocks_is_the_users_own(
    mounted: tuple[Path, Placed], tmp_path: Path
) -> None:
    root, how = mounted
    source = root / "kept"
    source.write_bytes(b"finished" * MIB)
    sums = await sums_of(source)
    database = open_database(Settings(home=tmp_path / "records"))
    made = await publish_existing(
        source, root / "out" / "a.vhd", sums=sums, writing=database.session, ledger=Ledger(database)
    )
    database.close()
    assert made.placed is how
    assert await sums_of(made.path) == sums
    if how is Placed.CLONE:
        with made.path.open("r+b") as file:
            file.write(b"changed")
        assert await sums_of(source) == sums
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o644
    else:
        assert made.path.samefile(source)
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o444
