"""A file that is put into the shared store while another process removes it as garbage."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.build_rows import build_row
from tests.scripted import Recorder
from vmwright.artifacts import ArtifactStore, SharedStore, open_shared_store
from vmwright.artifacts.chunks import CHUNK_BYTES
from vmwright.artifacts.garbage import ArtifactGarbage
from vmwright.artifacts.object_store import ObjectStore, StoredObject
from vmwright.events import Events
from vmwright.settings import Settings, StoreSettings
from vmwright.state.database import Database
from vmwright.state.resources import Ledger
from vmwright.state.tables import LayerRow

BODY = os.urandom(CHUNK_BYTES) + b"the end"
DIGEST = hashlib.sha256(BODY).hexdigest()
Meanwhile = Callable[[], Awaitable[object]]


class Interrupted(ObjectStore):
    """A store where something happens behind the listing of a file."""

    def __init__(self, settings: StoreSettings, meanwhile: Meanwhile) -> None:
        super().__init__(str(settings.url), settings)
        self._meanwhile: Meanwhile | None = meanwhile

    async def below(self, prefix: str) -> Mapping[str, StoredObject]:
        found = await super().below(prefix)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile:
            await meanwhile()
        return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "shared"
    folder.mkdir()
    return Settings(home=tmp_path / "home", store=StoreSettings(url=folder.as_uri()))


@pytest.fixture
def shared(settings: Settings, database: Database) -> SharedStore:
    store = open_shared_store(settings, database)
    assert store
    return store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "1.sh"
    path.write_bytes(BODY)
    return path


class Garbage:
    """Makes what is in the store old, and cleans up as another process would."""

    def __init__(self, settings: Settings, database: Database, folder: Path) -> None:
        self._settings = settings
        self._database = database
        self._folder = folder

    def age(self, age: timedelta) -> None:
        then = (datetime.now(UTC) - age).timestamp()
        for path in self._folder.glob("sha256/*/*"):
            os.utime(path, (then, then))

    async def collect(self, meanwhile: Meanwhile) -> None:
        objects = Interrupted(self._settings.store, meanwhile)
        store = ArtifactStore(self._settings.home, self._database, SharedStore(objects, self._database))
        garbage = ArtifactGarbage(store, self._database, Events(Recorder()), now=datetime.now(UTC))
        await garbage.collect(cache_bytes=0)


@pytest.fixture
def garbage(settings: Settings, database: Database, tmp_path: Path) -> Garbage:
    return Garbage(settings, database, tmp_path / "shared")


async def nothing() -> None:
    """Nothing happens meanwhile."""


async def is_whole(shared: SharedStore, database: Database, folder: Path) -> bool:
    await shared.fetch(DIGEST, folder / "back", ledger=Ledger(database))
    return (folder / "back").read_bytes() == BODY


async def test_a_file_that_is_put_while_it_is_removed_is_there_afterwards(
    shared: SharedStore, garbage: Garbage, file: Path, database: Database, tmp_path: Path
) -> None:
    await shared.put(file)
    garbage.age(timedelta(hours=2))
    putting: list[asyncio.Task[str]] = []

    async def put() -> None:
        putting.append(asyncio.create_task(shared.put(file)))
        # it may have to wait until the file is gone
        await asyncio.wait(putting, timeout=0.5)

    await garbage.collect(put)
    await putting[0]
    assert await is_whole(shared, database, tmp_path)


async def test_chunks_that_are_removed_while_others_are_sent_are_sent_again(
    settings: Settings, shared: SharedStore, garbage: Garbage, file: Path, database: Database, tmp_path: Path
) -> None:
    await shared.put(file)
    (tmp_path / "shared" / "sha256" / DIGEST / "manifest.json").unlink()
    garbage.age(timedelta(hours=25))
    going_on = Interrupted(settings.store, lambda: garbage.collect(nothing))
    await SharedStore(going_on, database).put(file)
    assert await is_whole(shared, database, tmp_path)


async def test_a_file_that_gets_a_row_while_others_are_removed_stays(
    shared: SharedStore, garbage: Garbage, file: Path, database: Database, tmp_path: Path
) -> None:
    await shared.put(file)
    garbage.age(timedelta(hours=2))

    async def refer_to_it() -> None:
        with database.session() as session:
            session.add(build_row("b1"))
            session.flush()
            session.add(
                LayerRow(
                    build_id="b1",
                    number=0,
                    step=1,
                    attempt=1,
                    host="another",
                    path="/elsewhere/000.qcow2",
                    digest=DIGEST,
                    size_bytes=len(BODY),
                    committed_at=datetime.now(UTC),
                )
            )

    await garbage.collect(refer_to_it)
    assert await is_whole(shared, database, tmp_path)
