"""The layers and inputs of builds that have ended: kept for days, and for as long as there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.build_rows import build_row
from tests.scripted import Recorder
from vmwright.artifacts import ArtifactStore, open_shared_store
from vmwright.artifacts.garbage import ArtifactGarbage
from vmwright.events import Events, Notice
from vmwright.runs.layer_files import LayerFiles
from vmwright.settings import KeepSettings, Settings, StoreSettings
from vmwright.state.database import Database, open_database
from vmwright.state.host import host_id
from vmwright.state.resources import Ledger, ResourceKind
from vmwright.state.tables import BuildRow, InputRow, LayerRow
from vmwright.workers.garbage import collect, tell_of_others

MIB = 1 << 20
DAY = timedelta(days=1)
NOW = datetime.now(UTC)


class Kept:
    """Makes builds with one layer of a MiB and one script each."""

    def __init__(self, home: Path, database: Database) -> None:
        self._home = home
        self._database = database

    def make(self, build: str, *, ended: datetime | None, host: str | None = None) -> tuple[Path, Path]:
        """Make a build; return its layer and its script."""
        folder = self._home / "builds" / build / "1"
        layer, script = LayerFiles(self._home, self._database).new(), folder / "fetched" / "1.sh"
        script.parent.mkdir(parents=True)
        for path, data in ((layer, os.urandom(MIB)), (script, b"exit 0\n")):
            path.write_bytes(data)
        place = {"build_id": build, "host": host or host_id()}
        with self._database.session() as session:
            session.add(build_row(id=build, ended_at=ended))
            session.flush()
            session.add(
                LayerRow(
                    **place, number=0, step=1, attempt=1, path=str(layer), size_bytes=MIB, committed_at=NOW
                )
            )
            session.add(InputRow(**place, number=1, path=str(script), sha256="0" * 64, size_bytes=7))
        return layer, script

    def builds(self) -> set[str]:
        """Return the builds that can still be resumed where they were."""
        with self._database.session() as session:
            of_layers, of_inputs = select(LayerRow.build_id), select(InputRow.build_id)
            assert set(session.scalars(of_layers)) == set(session.scalars(of_inputs))
            return set(session.scalars(of_layers))


@pytest.fixture
def kept(settings: Settings, database: Database) -> Kept:
    return Kept(settings.home, database)


def keeping(settings: Settings, *, days: float, gib: float = 50.0) -> Settings:
    return settings.model_copy(update={"keep": KeepSettings(days=days, gib=gib)})


async def test_they_go_when_their_days_are_over(
    kept: Kept, settings: Settings, database: Database, events: Events, recorder: Recorder
) -> None:
    old, young = kept.make("old", ended=NOW - 4 * DAY), kept.make("young", ended=NOW - 2 * DAY)
    running = kept.make("running", ended=None)
    elsewhere = kept.make("elsewhere", ended=NOW - 4 * DAY, host="another")
    removed = await collect(database, keeping(settings, days=3), events)
    assert removed.files == 3
    assert removed.size_bytes >= MIB
    assert kept.builds() == {"young", "running", "elsewhere"}
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*young, *running))
    # its layers would be in a folder of that host
    assert [path.exists() for path in elsewhere] == [False, True]
    assert any(
        "Removed 3 unused files" in event.message for event in recorder.seen if isinstance(event, Notice)
    )


async def test_the_oldest_go_when_there_is_no_room(
    kept: Kept, settings: Settings, database: Database, events: Events
) -> None:
    for name, days in (("b", 2), ("a", 1), ("c", 3)):
        kept.make(name, ended=NOW - days * DAY)
    kept.make("running", ended=None)
    await collect(database, keeping(settings, days=30, gib=2.5 / 1024), events)
    assert kept.builds() == {"a", "b", "running"}


async def test_no_days_are_none_at_all(
    kept: Kept, settings: Settings, database: Database, events: Events
) -> None:
    kept.make("ended", ended=NOW)
    kept.make("running", ended=None)
    await collect(database, keeping(settings, days=0), events)
    assert kept.builds() == {"running"}


async def test_a_build_that_is_resumed_meanwhile_keeps_them(
    kept: Kept, settings: Settings, database: Database, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vmwright.workers import garbage

    files = kept.make("old", ended=NOW - 4 * DAY)
    found = garbage._ended_builds(database)
    with database.session() as session:
        session.execute(update(BuildRow).values(ended_at=None))
    monkeypatch.setattr(garbage, "_ended_builds", lambda _: found)
    removed = await collect(database, keeping(settings, days=3), events)
    assert removed.files == 0
    assert kept.builds() == {"old"}
    assert all(path.exists() for path in files)


async def test_a_layer_that_another_build_refers_to_stays(
    kept: Kept, settings: Settings, database: Database, events: Events
) -> None:
    shared, script = kept.make("old", ended=NOW - 4 * DAY)
    own, _ = kept.make("young", ended=NOW - 1 * DAY)
    with database.session() as session:
        session.execute(update(LayerRow).where(LayerRow.path == str(own)).values(path=str(shared)))
    await collect(database, keeping(settings, days=3), events)
    assert (shared.exists(), own.exists(), script.exists()) == (True, False, False)
    await collect(database, keeping(settings, days=0.5), events)
    assert not shared.exists()


async def test_a_layer_without_a_row_stays_as_long_as_it_is_claimed(
    settings: Settings, database: Database, events: Events
) -> None:
    path, ledger = LayerFiles(settings.home, database).new(), Ledger(database)
    claim = ledger.claim(ResourceKind.PATH, path)
    path.write_bytes(b"being made")
    await collect(database, settings, events)
    assert path.exists()
    ledger.release(claim)
    assert (await collect(database, settings, events)).files == 1
    assert not path.exists()


async def test_what_was_shared_of_them_goes_from_the_store(
    kept: Kept, settings: Settings, database: Database, events: Events, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    store = StoreSettings(url=(tmp_path / "shared").as_uri())
    configured = keeping(settings, days=3).model_copy(update={"store": store})
    layer, _ = kept.make("old", ended=NOW - 2 * DAY)
    shared = open_shared_store(configured, database)
    assert shared
    digest = await shared.put(layer)
    with database.session() as session:
        session.execute(update(LayerRow).values(digest=digest))
    await collect(database, configured, events)
    assert await shared.has(digest)
    assert kept.builds() == {"old"}
    with database.session() as session:
        session.execute(update(BuildRow).values(ended_at=NOW - 4 * DAY))
    for path in (tmp_path / "shared" / "sha256" / digest).iterdir():
        os.utime(path, ((NOW - 4 * DAY).timestamp(),) * 2)
    removed = await collect(database, configured, events)
    assert removed.files == 3
    assert not await shared.has(digest)


async def test_layers_of_other_hosts_go_with_those_that_they_stand_on(
    kept: Kept, settings: Settings, database: Database, events: Events
) -> None:
    hosts = {"begun here": (host_id(), "another"), "begun there": ("another", host_id())}
    for build, (first, second) in hosts.items():
        kept.make(build, ended=NOW - 4 * DAY, host=first)
        with database.session() as session:
            session.add(
                LayerRow(
                    build_id=build,
                    number=1,
                    step=2,
                    attempt=2,
                    host=second,
                    path=f"/elsewhere/{build}/001.qcow2",
                    size_bytes=MIB,
                    committed_at=NOW,
                )
            )
    await collect(database, keeping(settings, days=3), events)
    with database.session() as session:
        left = session.execute(select(LayerRow.build_id, LayerRow.number)).all()
    assert [tuple(row) for row in left] == [("begun there", 0)]


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[Database]:
    """Another database that the home had, before the one that it has now."""
    earlier = open_database(Settings(home=tmp_path / "earlier"))
    yield earlier
    earlier.close()


async def test_what_another_database_has_in_the_home_stays(
    settings: Settings,
    database: Database,
    earlier: Database,
    events: Events,
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    theirs = Kept(settings.home, earlier).make("theirs", ended=NOW)
    (tmp_path / "disk").write_bytes(os.urandom(MIB))
    image = await ArtifactStore(settings.home, earlier).adopt(tmp_path / "disk", "qcow2")
    artifacts = ArtifactStore(settings.home, database)
    garbage = ArtifactGarbage(artifacts, database, events, now=NOW + 2 * DAY)
    assert (await collect(database, settings, events)).files == 0
    assert (await garbage.collect(cache_bytes=0)).files == 0
    assert image.path.exists()
    assert all(path.exists() for path in theirs)
    await tell_of_others(database, settings, events)
    (told,) = [event.message for event in recorder.seen if isinstance(event, Notice)]
    assert "of another database, which stay: artifacts and layers" in told
    recorder.seen.clear()
    await tell_of_others(earlier, settings, events)
    assert recorder.seen == []


async def test_two_databases_of_a_home_have_the_same_image_each_for_itself(
    settings: Settings, database: Database, earlier: Database, tmp_path: Path
) -> None:
    stores = [ArtifactStore(settings.home, one) for one in (earlier, database)]
    made = []
    for store in stores:
        (tmp_path / "disk").write_bytes(b"the same bytes")
        made.append(await store.adopt(tmp_path / "disk", "qcow2"))
    assert made[0].digest == made[1].digest
    assert stores[1].remove_unused(made[1].digest)
    assert [one.path.exists() for one in made] == [True, False]
