from __future__ import annotations

import asyncio
import hashlib
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from tests.build_rows import build_row
from vmwright.artifacts import ArtifactStore
from vmwright.errors import VmwrightError
from vmwright.state.tables import ArtifactRow, ImageRow, ResourceRow

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.state.database import Database

BODY = b"a disk" * 3_000_000
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def store(tmp_path: Path, database: Database) -> ArtifactStore:
    return ArtifactStore(tmp_path, database)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(BODY)
    return path


def image(digest: str) -> ImageRow:
    return ImageRow(
        provisioning="NoCloud",
        key="/images/a",
        resource_id="/images/A",
        location="westus",
        digest=digest,
        os_type="Linux",
        os_name="Debian 12",
        generation="V1",
        size_bytes=1,
        tags={},
        build_id=None,
        created_at=datetime.now(UTC),
    )


async def test_a_file_moves_to_the_name_of_its_bytes(
    store: ArtifactStore, disk: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    inode = disk.stat().st_ino
    artifact = await store.adopt(disk, "qcow2", progress=lambda done, total: told.append((done, total)))
    assert artifact.path == tmp_path / "artifacts" / "sha256" / DIGEST[:2] / f"{DIGEST}.qcow2"
    assert (artifact.digest, artifact.size_bytes, artifact.path.stat().st_ino) == (DIGEST, len(BODY), inode)
    assert stat.S_IMODE(artifact.path.stat().st_mode) == 0o444
    assert told[-1] == (len(BODY), len(BODY))
    assert not disk.exists()
    assert store.get(DIGEST.upper()) == artifact


async def test_the_same_bytes_are_kept_once(
    store: ArtifactStore, disk: Path, tmp_path: Path, database: Database
) -> None:
    first = await store.adopt(disk, "qcow2")
    again = tmp_path / "again.img"
    again.write_bytes(BODY)
    assert await store.adopt(again, "raw") == first
    assert not again.exists()
    assert [path.name for path in first.path.parent.iterdir()] == [first.path.name]
    with database.session() as session:
        assert len(session.scalars(select(ArtifactRow)).all()) == 1


async def test_bytes_whose_row_is_lost_get_one_again(
    store: ArtifactStore, disk: Path, database: Database
) -> None:
    artifact = await store.adopt(disk, "qcow2")
    with database.session() as session:
        session.delete(session.get(ArtifactRow, DIGEST))
    disk.write_bytes(BODY)
    again = await store.adopt(disk, "qcow2")
    assert again.path == artifact.path
    assert store.get(DIGEST) == again


async def test_a_file_of_another_file_system_is_copied(
    store: ArtifactStore, database: Database, elsewhere: Path
) -> None:
    other = elsewhere / "disk"
    other.write_bytes(BODY)
    artifact = await store.adopt(other, "qcow2")
    assert not other.exists()
    assert artifact.path.read_bytes() == BODY
    assert list(artifact.path.parent.parent.glob("*.part")) == []
    with database.session() as session:
        assert session.scalars(select(ResourceRow)).all() == []


async def test_two_adopt_the_same_bytes_at_once(store: ArtifactStore, disk: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.write_bytes(BODY)
    one, other = await asyncio.gather(store.adopt(disk, "qcow2"), store.adopt(again, "qcow2"))
    assert one == other
    assert one.path.read_bytes() == BODY


async def test_what_is_used_is_not_removed(store: ArtifactStore, disk: Path, database: Database) -> None:
    artifact = await store.adopt(disk, "qcow2")
    with database.session() as session:
        session.add(image(DIGEST))
    assert not store.remove_unused(DIGEST)
    with database.session() as session:
        session.delete(session.get(ImageRow, "/images/a"))
    assert store.remove_unused(DIGEST)
    assert not artifact.path.exists()
    with pytest.raises(VmwrightError, match="no artifact"):
        store.get(DIGEST)


@pytest.mark.parametrize("running", ["running", "ended"])
async def test_the_disk_under_a_running_build_stays(
    store: ArtifactStore, disk: Path, database: Database, running: str
) -> None:
    await store.adopt(disk, "qcow2")
    with database.session() as session:
        ended_at = None if running == "running" else datetime.now(UTC)
        session.add(build_row(source=f"Debian sha256:{DIGEST}", ended_at=ended_at))
    assert store.remove_unused(DIGEST) is (running == "ended")


async def test_a_file_that_is_gone_is_said(store: ArtifactStore, disk: Path) -> None:
    (await store.adopt(disk, "qcow2")).path.unlink()
    with pytest.raises(VmwrightError, match="is gone"):
        store.get(DIGEST)


async def test_cancelling_leaves_the_file_with_its_owner(
    store: ArtifactStore, disk: Path, database: Database
) -> None:
    started = asyncio.Event()

    def progress(_done: int, _total: int) -> None:
        started.set()

    task = asyncio.create_task(store.adopt(disk, "qcow2", progress=progress))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert disk.exists()
    with database.session() as session:
        assert session.get(ArtifactRow, DIGEST) is None
