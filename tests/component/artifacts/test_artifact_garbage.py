"""What a clean-up removes and what it leaves: what is there is made older than it is."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.build_rows import build_row
from tests.scripted import Recorder
from vmwright.artifacts import Artifact, ArtifactStore, open_shared_store
from vmwright.artifacts.garbage import ArtifactGarbage, Collected, removed_file
from vmwright.events import Events, Notice
from vmwright.settings import Settings, StoreSettings
from vmwright.state.database import Database
from vmwright.state.tables import ArtifactRow, ImageRow, LayerRow

MIB = 1 << 20
PLENTY = 1 << 40
HOUR = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "shared"
    folder.mkdir()
    return Settings(home=tmp_path / "one", store=StoreSettings(url=folder.as_uri()))


@pytest.fixture
def shared(settings: Settings, database: Database) -> ArtifactStore:
    return ArtifactStore(settings.home, database, open_shared_store(settings, database))


@pytest.fixture
def alone(settings: Settings, database: Database) -> ArtifactStore:
    return ArtifactStore(settings.home, database)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


class Disks:
    """Makes artifacts of one MiB each."""

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder = folder
        self._database = database

    async def make(self, store: ArtifactStore, *, used: bool = False) -> Artifact:
        path = self._folder / "new"
        path.write_bytes(os.urandom(MIB))
        artifact = await store.adopt(path, "qcow2")
        if used:
            with self._database.session() as session:
                session.add(image(artifact.digest))
        return artifact


@pytest.fixture
def disks(tmp_path: Path, database: Database) -> Disks:
    return Disks(tmp_path, database)


def image(digest: str) -> ImageRow:
    return ImageRow(
        provisioning="NoCloud",
        key=f"/images/{digest}",
        resource_id=f"/images/{digest}",
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


async def clean(
    store: ArtifactStore,
    database: Database,
    recorder: Recorder,
    *,
    after: timedelta,
    cache_bytes: int = PLENTY,
) -> Collected:
    """Clean up when all that is there is so old; the ages of this host's files cannot be changed."""
    now = datetime.now(UTC)
    with database.session() as session:
        for row in session.scalars(select(ArtifactRow)):
            row.created_at = min(row.created_at, now - after)
    for path in store.folder.parents[2].glob("shared/sha256/*/*"):
        made = min(path.stat().st_mtime, (now - after).timestamp())
        os.utime(path, (made, made))
    garbage = ArtifactGarbage(store, database, Events(recorder), now=now + after)
    return await garbage.collect(cache_bytes=cache_bytes)


def in_store(folder: Path) -> set[str]:
    return {path.name for path in (folder / "shared" / "sha256").glob("*")}


async def test_an_artifact_that_nothing_refers_to_goes_after_a_day(
    alone: ArtifactStore, disks: Disks, database: Database, recorder: Recorder
) -> None:
    kept, unused = await disks.make(alone, used=True), await disks.make(alone)
    assert (await clean(alone, database, recorder, after=23 * HOUR)).files == 0
    assert await clean(alone, database, recorder, after=25 * HOUR) == Collected(MIB, 1)
    assert kept.path.exists()
    assert not unused.path.exists()
    with database.session() as session:
        assert session.get(ArtifactRow, unused.digest) is None


@pytest.mark.parametrize("ended", [None, datetime(2026, 1, 1, tzinfo=UTC)])
async def test_the_source_of_a_build_that_runs_or_can_be_resumed_stays(
    shared: ArtifactStore, disks: Disks, database: Database, recorder: Recorder, ended: datetime | None
) -> None:
    source = await disks.make(shared)
    with database.session() as session:
        session.add(build_row(id="b1", source=f"Debian sha256:{source.digest}", ended_at=ended))
        session.flush()
        if ended:
            session.add(layer("b1", "0" * 64))
    await clean(shared, database, recorder, after=48 * HOUR, cache_bytes=0)
    assert source.path.exists()
    assert await shared.is_shared(source.digest)


async def test_a_file_without_a_row_goes_after_a_day(
    alone: ArtifactStore, database: Database, recorder: Recorder
) -> None:
    digest = hashlib.sha256(b"left by a crash").hexdigest()
    left = alone.folder / digest[:2] / f"{digest}.qcow2"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"left by a crash")
    other = left.with_name("notes.txt")
    other.write_text("the user's")
    assert (await clean(alone, database, recorder, after=HOUR)).files == 0
    assert (await clean(alone, database, recorder, after=25 * HOUR)).files == 1
    assert not left.exists()
    assert other.exists()


async def test_copies_go_when_they_are_too_many_the_longest_unused_first(
    shared: ArtifactStore, disks: Disks, database: Database, recorder: Recorder
) -> None:
    first, second, third = [await disks.make(shared, used=True) for _ in range(3)]
    for artifact, hours in ((first, 3), (second, 5), (third, 4)):
        then = (datetime.now(UTC) - hours * HOUR).timestamp()
        os.utime(artifact.path, (then, then))
    await shared.fetch(second.digest)
    removed = await clean(shared, database, recorder, after=2 * HOUR, cache_bytes=int(1.5 * MIB))
    assert removed == Collected(2 * MIB, 2)
    assert [one.path.exists() for one in (first, second, third)] == [False, True, False]
    # they are not lost
    assert (await shared.fetch(first.digest)).path.stat().st_size == MIB


async def test_what_the_store_does_not_have_is_no_copy(
    shared: ArtifactStore,
    alone: ArtifactStore,
    disks: Disks,
    database: Database,
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    only = await disks.make(alone, used=True)
    lost = await disks.make(shared, used=True)
    (tmp_path / "shared" / "sha256" / lost.digest / "manifest.json").unlink()
    linked = await disks.make(shared, used=True)
    os.link(linked.path, tmp_path / "replica.qcow2")
    assert (await clean(shared, database, recorder, after=2 * HOUR, cache_bytes=0)).files == 0
    assert all(one.path.exists() for one in (only, lost, linked))
    warnings = [event.message for event in recorder.seen if isinstance(event, Notice)]
    assert [lost.digest in message for message in warnings] == [True]


async def test_a_copy_that_was_wanted_a_moment_ago_stays(
    shared: ArtifactStore, disks: Disks, database: Database, recorder: Recorder
) -> None:
    artifact = await disks.make(shared, used=True)
    assert (await clean(shared, database, recorder, after=timedelta(minutes=50), cache_bytes=0)).files == 0
    assert artifact.path.exists()


def layer(build_id: str, digest: str) -> LayerRow:
    return LayerRow(
        build_id=build_id,
        number=0,
        step=1,
        attempt=1,
        host="another",
        path="/elsewhere/000.qcow2",
        digest=digest,
        size_bytes=MIB,
        committed_at=datetime.now(UTC),
    )


async def test_the_store_keeps_what_rows_refer_to(
    shared: ArtifactStore, disks: Disks, database: Database, recorder: Recorder, tmp_path: Path
) -> None:
    kept, removed = await disks.make(shared, used=True), await disks.make(shared)
    assert shared.remove_unused(removed.digest)
    file = tmp_path / "000.qcow2"
    digests = []
    for _ in range(2):
        file.write_bytes(os.urandom(MIB))
        digests.append(await shared.share(file) or "")
    with database.session() as session:
        session.add(build_row(id="b1"))
        session.flush()
        session.add(layer("b1", digests[0]))
    broken = tmp_path / "shared" / "sha256" / ("b" * 64)
    broken.mkdir()
    (broken / "000000").write_bytes(b"a chunk")
    (broken / "000001#1").write_bytes(b"a chunk that was being written")
    everything = {kept.digest, removed.digest, *digests, broken.name}
    await clean(shared, database, recorder, after=timedelta(minutes=50))
    assert in_store(tmp_path) == everything
    await clean(shared, database, recorder, after=2 * HOUR)
    assert in_store(tmp_path) == everything - {removed.digest, digests[1]}
    await clean(shared, database, recorder, after=25 * HOUR)
    assert in_store(tmp_path) == {kept.digest, digests[0]}


async def test_a_file_that_is_put_again_is_no_garbage(
    shared: ArtifactStore, tmp_path: Path, database: Database, recorder: Recorder
) -> None:
    file = tmp_path / "000.qcow2"
    file.write_bytes(b"a layer")
    digest = await shared.share(file) or ""
    folder = tmp_path / "shared" / "sha256" / digest
    then = (datetime.now(UTC) - 2 * HOUR).timestamp()
    for path in folder.iterdir():
        os.utime(path, (then, then))
    await shared.share(file)
    await clean(shared, database, recorder, after=timedelta())
    assert await shared.is_shared(digest)


async def test_a_host_whose_clock_is_fast_removes_nothing_that_is_new(
    shared: ArtifactStore, disks: Disks, database: Database, recorder: Recorder, tmp_path: Path
) -> None:
    artifact = await disks.make(shared)
    (tmp_path / "000.qcow2").write_bytes(b"a layer that gets its row in a moment")
    layer = await shared.share(tmp_path / "000.qcow2")
    garbage = ArtifactGarbage(shared, database, Events(recorder), now=datetime.now(UTC) + 25 * HOUR)
    assert await garbage.collect(cache_bytes=PLENTY) == Collected()
    assert artifact.path.exists()
    assert in_store(tmp_path) == {artifact.digest, layer}


async def test_a_store_that_cannot_be_used_is_warned_of(
    shared: ArtifactStore, disks: Disks, database: Database, recorder: Recorder, tmp_path: Path
) -> None:
    await disks.make(shared, used=True)
    unused = await disks.make(shared)
    (tmp_path / "shared").rename(tmp_path / "away")
    assert (await clean(shared, database, recorder, after=25 * HOUR, cache_bytes=0)).files == 1
    assert not unused.path.exists()
    said = [event.message for event in recorder.seen if isinstance(event, Notice)]
    assert len(said) == 2


def test_only_the_last_name_of_a_file_frees_its_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(bytes(MIB - 1) + b"x")
    os.link(one, other)
    assert removed_file(one) == Collected(0, 1)
    assert removed_file(other) == Collected(MIB, 1)
    assert removed_file(other) == Collected()
