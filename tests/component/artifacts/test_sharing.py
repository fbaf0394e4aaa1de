"""Artifacts of two homes with one database and one shared folder, as two hosts have them."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from vmwright.artifacts import ArtifactStore, SharedStore, open_shared_store
from vmwright.artifacts.object_store import ObjectStore
from vmwright.errors import StoreError, VmwrightError
from vmwright.settings import Settings, StoreSettings
from vmwright.state.database import Database
from vmwright.state.tables import ArtifactRow, ResourceRow

BODY = b"a disk" * 3_000_000
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "shared"
    folder.mkdir()
    return Settings(home=tmp_path / "one", store=StoreSettings(url=folder.as_uri()))


@pytest.fixture
def one(settings: Settings, database: Database) -> ArtifactStore:
    return ArtifactStore(settings.home, database, open_shared_store(settings, database))


@pytest.fixture
def other(settings: Settings, database: Database, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "two", database, open_shared_store(settings, database))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(BODY)
    return path


async def test_what_one_host_adopts_the_other_fetches(
    one: ArtifactStore, other: ArtifactStore, disk: Path, database: Database
) -> None:
    made = await one.adopt(disk, "qcow2")
    with pytest.raises(VmwrightError, match="was never here") as caught:
        other.get(DIGEST)
    assert "shared" in (caught.value.hint or "")
    assert other.record(DIGEST).size_bytes == len(BODY)
    fetched = await other.fetch(DIGEST.upper())
    assert fetched.path != made.path
    assert fetched.path.read_bytes() == BODY
    assert stat.S_IMODE(fetched.path.stat().st_mode) == 0o444
    assert other.get(DIGEST) == fetched
    assert [path.name for path in fetched.path.parent.iterdir()] == [fetched.path.name]
    with database.session() as session:
        assert session.scalars(select(ResourceRow)).all() == []


async def test_two_builds_that_want_the_same_download_it_once(
    one: ArtifactStore, disk: Path, settings: Settings, database: Database, tmp_path: Path
) -> None:
    class Counting(ObjectStore):
        chunks = 0

        async def get(self, key: str) -> bytes | None:
            self.chunks += key.endswith("/000000")
            return await super().get(key)

    await one.adopt(disk, "qcow2")
    objects = Counting(str(settings.store.url), settings.store)
    builds = [ArtifactStore(tmp_path / "two", database, SharedStore(objects, database)) for _ in range(3)]
    first, *others = await asyncio.gather(*(build.fetch(DIGEST) for build in builds))
    assert others == [first, first]
    assert objects.chunks == 1


async def test_a_row_comes_after_the_bytes(
    one: ArtifactStore, disk: Path, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "shared").rmdir()
    with pytest.raises(StoreError, match="there is no such folder"):
        await one.adopt(disk, "qcow2")
    assert disk.read_bytes() == BODY
    with database.session() as session:
        assert session.get(ArtifactRow, DIGEST) is None


async def test_an_artifact_older_than_the_store_is_shared_when_it_is_used(
    one: ArtifactStore, other: ArtifactStore, settings: Settings, disk: Path, database: Database
) -> None:
    alone = ArtifactStore(settings.home, database)
    await alone.adopt(disk, "qcow2")
    with pytest.raises(VmwrightError, match="was never here") as caught:
        await other.fetch(DIGEST)
    assert "build with it once on the host that has it" in (caught.value.hint or "")
    await one.fetch(DIGEST)
    assert (await other.fetch(DIGEST)).path.read_bytes() == BODY


async def test_without_a_store_the_error_names_it(disk: Path, database: Database, tmp_path: Path) -> None:
    await ArtifactStore(tmp_path / "one", database).adopt(disk, "qcow2")
    with pytest.raises(VmwrightError, match=DIGEST) as caught:
        await ArtifactStore(tmp_path / "two", database).fetch(DIGEST)
    assert "[store] url" in (caught.value.hint or "")


async def test_a_damaged_copy_in_the_store_gets_nowhere(
    one: ArtifactStore, other: ArtifactStore, disk: Path, tmp_path: Path
) -> None:
    await one.adopt(disk, "qcow2")
    chunk = tmp_path / "shared" / "sha256" / DIGEST / "000000"
    chunk.write_bytes(bytes(chunk.stat().st_size))
    with pytest.raises(StoreError, match="is damaged"):
        await other.fetch(DIGEST)
    assert list(other.folder.glob("*/*")) == []


async def test_files_of_builds_are_shared_by_their_digest(
    one: ArtifactStore, other: ArtifactStore, disk: Path, tmp_path: Path, database: Database
) -> None:
    assert await one.share(disk) == DIGEST
    assert await other.is_shared(DIGEST)
    assert not await other.is_shared(None)
    await other.fetch_file(DIGEST, tmp_path / "two" / "000.qcow2")
    copy = tmp_path / "two" / "000.qcow2"
    with copy.open("r+b") as file:
        file.write(b"x")  # its backing file is named anew on this host
    await other.put_bytes("builds/b1/x.json", b"{}")
    assert await one.get_bytes("builds/b1/x.json") == b"{}"
    await one.delete_prefix("builds/b1")
    assert await other.get_bytes("builds/b1/x.json") is None
    # it was put a moment ago, so that a row may still come
    await one.unshare(DIGEST)
    assert await other.is_shared(DIGEST)


async def test_without_a_store_files_of_builds_stay_where_they_are(
    disk: Path, database: Database, tmp_path: Path
) -> None:
    alone = ArtifactStore(tmp_path / "one", database)
    assert await alone.share(disk) is None
    assert not await alone.is_shared(DIGEST)
    await alone.put_bytes("builds/b1/x.json", b"{}")
    assert await alone.get_bytes("builds/b1/x.json") is None
    await alone.delete_prefix("builds/b1")
    await alone.unshare(DIGEST)
    with pytest.raises(StoreError, match="on another host"):
        await alone.fetch_file(DIGEST, tmp_path / "x")
