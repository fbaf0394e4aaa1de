from __future__ import annotations

import asyncio
import stat
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from vmwright.artifacts import Artifact, ArtifactStore, RegionStores, files
from vmwright.artifacts.duplicates import Placed
from vmwright.artifacts.region_stores import is_intact
from vmwright.errors import DistributeError
from vmwright.settings import Settings
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow

if TYPE_CHECKING:
    from vmwright.state.database import Database

VERSION = PurePosixPath("s/rg/gallery/web/1.0.0")
BODY = b"a disk" * 100_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture
async def artifact(home: Path, database: Database) -> Artifact:
    (home / "new").write_bytes(BODY)
    return await ArtifactStore(home, database).adopt(home / "new", "qcow2")


def claims(database: Database) -> list[ResourceRow]:
    with database.session() as session:
        return list(session.scalars(select(ResourceRow)))


def test_regions_are_found_in_any_spelling(home: Path, tmp_path: Path) -> None:
    stores = RegionStores(Settings(home=home, stores={"West US 2": tmp_path / "w2"}))
    assert stores.folder("westus2") == stores.folder("WEST us2") == tmp_path / "w2"
    assert stores.folder("East US") == home / "regions" / "eastus"
    path = stores.path("WestUS2", VERSION, "qcow2")
    assert path == tmp_path / "w2" / "s" / "rg" / "gallery" / "web" / "1.0.0.qcow2"


@pytest.mark.parametrize("region", ["", "../../etc", "west/us", ".", "/etc", "west\0us"])
def test_a_region_leads_nowhere_else(home: Path, region: str) -> None:
    with pytest.raises(DistributeError, match="not the name of a region"):
        RegionStores(Settings(home=home)).check(region)


async def test_a_replica_takes_no_second_place_on_the_same_disk(
    home: Path, artifact: Artifact, ledger: Ledger, database: Database
) -> None:
    stores = RegionStores(Settings(home=home))
    path = stores.path("westus", VERSION, "qcow2")
    placed = await stores.place(artifact, path, region="westus", naming=nullcontext, ledger=ledger)
    assert placed in {Placed.CLONE, Placed.LINK}
    assert path.read_bytes() == BODY
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert [file.name for file in path.parent.iterdir()] == ["1.0.0.qcow2"]
    assert await is_intact(path, artifact)
    assert claims(database) == []


async def test_a_replica_on_another_file_system_is_a_verified_copy(
    home: Path, elsewhere: Path, artifact: Artifact, ledger: Ledger
) -> None:
    stores = RegionStores(Settings(home=home, stores={"westus": elsewhere / "store"}))
    path = stores.path("westus", VERSION, "qcow2")
    placed = await stores.place(artifact, path, region="westus", naming=nullcontext, ledger=ledger)
    assert placed is Placed.COPY
    assert await is_intact(path, artifact)
    path.chmod(0o644)
    path.write_bytes(BODY.replace(b"a disk", b"a dusk"))
    assert not await is_intact(path, artifact)
    path.unlink()
    assert not await is_intact(path, artifact)


async def test_a_copy_that_differs_is_not_placed(
    home: Path, artifact: Artifact, ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = RegionStores(Settings(home=home))
    path = stores.path("westus", VERSION, "qcow2")

    async def half_a_copy(_: Path, destination: Path) -> None:
        destination.write_bytes(BODY[:1000])

    monkeypatch.setattr("vmwright.artifacts.duplicates._clone", lambda *_: False)
    monkeypatch.setattr("vmwright.artifacts.duplicates._link", lambda *_: False)
    monkeypatch.setattr(files, "copy", half_a_copy)
    with pytest.raises(DistributeError, match="differs"):
        await stores.place(artifact, path, region="westus", naming=nullcontext, ledger=ledger)
    assert list(path.parent.iterdir()) == []
    assert claims(database) == []


async def test_a_file_of_somebody_else_is_left_alone(home: Path, artifact: Artifact, ledger: Ledger) -> None:
    stores = RegionStores(Settings(home=home))
    path = stores.path("westus", VERSION, "qcow2")
    path.parent.mkdir(parents=True)
    path.write_text("theirs")
    with pytest.raises(DistributeError, match="none of this library's"):
        await stores.place(artifact, path, region="westus", naming=nullcontext, ledger=ledger)
    assert path.read_text() == "theirs"


async def test_a_link_that_leads_nowhere_is_somebody_elses_too(
    home: Path, artifact: Artifact, ledger: Ledger
) -> None:
    stores = RegionStores(Settings(home=home))
    path = stores.path("westus", VERSION, "qcow2")
    path.parent.mkdir(parents=True)
    path.symlink_to("gone")
    with pytest.raises(DistributeError, match="none of this library's"):
        await stores.place(artifact, path, region="westus", naming=nullcontext, ledger=ledger)


async def test_a_store_that_cannot_be_written_names_its_region_and_folder(
    home: Path, tmp_path: Path, artifact: Artifact, ledger: Ledger
) -> None:
    (tmp_path / "file").write_text("")
    stores = RegionStores(Settings(home=home, stores={"westus": tmp_path / "file" / "store"}))
    with pytest.raises(DistributeError, match=r"region westus.*file/store") as caught:
        stores.check("West US")
    assert "[stores] westus" in str(caught.value.hint)
    path = stores.path("westus", VERSION, "qcow2")
    with pytest.raises(DistributeError, match="region westus"):
        await stores.place(artifact, path, region="westus", naming=nullcontext, ledger=ledger)


async def test_the_part_is_claimed_before_it_is_made(
    home: Path, artifact: Artifact, ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = RegionStores(Settings(home=home))
    path = stores.path("westus", VERSION, "qcow2")
    seen: list[str] = []

    async def look(_: Path, part: Path) -> Placed:
        assert not part.exists()
        seen.extend(row.identity for row in claims(database))
        raise asyncio.CancelledError

    monkeypatch.setattr("vmwright.artifacts.region_stores.duplicate", look)
    with pytest.raises(asyncio.CancelledError):
        await stores.place(artifact, path, region="westus", naming=nullcontext, ledger=ledger)
    assert [Path(one).parent for one in seen] == [path.parent]
    assert claims(database) == []
