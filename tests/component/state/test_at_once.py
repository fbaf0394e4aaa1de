"""Several at once, each with a connection of its own as a process has: one makes a thing, all find it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import update

from vmwright.artifacts import Artifact, ArtifactStore
from vmwright.artifacts.facts import ImageFacts
from vmwright.errors import SourceError, VmwrightError
from vmwright.images import GalleryLibrary, ImageLibrary, ids
from vmwright.images.galleries import default_identifier
from vmwright.settings import DatabaseSettings, Settings
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.urn import Urn
from vmwright.state import engines
from vmwright.state.database import Database, lock, open_database
from vmwright.state.tables import BuildRow
from vmwright.template.model import Generation, OsType

AT_ONCE = 4
GROUP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute"
IMAGE = f"{GROUP}/images/web"
DEFINITION = ids.parse(f"{GROUP}/galleries/gal/images/web")
FACTS = ImageFacts(os_type=OsType.LINUX, os_name="Debian 12", generation=Generation.V2, size_bytes=5 << 30)

Result = TypeVar("Result")


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings) -> Settings:
    settings = Settings(home=tmp_path / "home", database=database_settings)
    open_database(settings).close()
    return settings


def at_once(settings: Settings, work: Callable[[Database, int], Result]) -> list[Result]:
    start = threading.Barrier(AT_ONCE)

    def one(number: int) -> Result:
        database = open_database(settings)
        try:
            start.wait()
            return work(database, number)
        finally:
            database.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def adopt(settings: Settings, database: Database, number: int, *, body: str) -> str:
    part = settings.home / f"{number}.part"
    part.write_text(body)
    return asyncio.run(ArtifactStore(settings.home, database).adopt(part, "qcow2")).digest


def test_the_same_bytes_and_the_same_image(settings: Settings) -> None:
    def put(database: Database, number: int) -> str:
        artifacts = ArtifactStore(settings.home, database)
        digest = adopt(settings, database, number, body="one disk")
        ImageLibrary(database, artifacts).put(
            IMAGE,
            location="westus",
            artifact=artifacts.get(digest),
            facts=FACTS,
            tags={"by": str(number)},
            writing=database.session,
        )
        return digest

    digests = set(at_once(settings, put))
    assert len(digests) == 1
    database = open_database(settings)
    artifacts = ArtifactStore(settings.home, database)
    (image,) = ImageLibrary(database, artifacts).list()
    assert {image.digest} == digests
    assert artifacts.get(image.digest).path.read_text() == "one disk"
    database.close()


def test_an_image_that_others_overwrite_keeps_its_own_bytes_alone(settings: Settings) -> None:
    def put(database: Database, number: int) -> str:
        artifacts = ArtifactStore(settings.home, database)
        digest = adopt(settings, database, number, body=f"disk {number}")
        ImageLibrary(database, artifacts).put(
            IMAGE,
            location="westus",
            artifact=artifacts.get(digest),
            facts=FACTS,
            tags={},
            writing=database.session,
        )
        return digest

    digests = set(at_once(settings, put))
    database = open_database(settings)
    artifacts = ArtifactStore(settings.home, database)
    (image,) = ImageLibrary(database, artifacts).list()
    kept = {path.stem for path in (settings.home / "artifacts").rglob("*.qcow2")}
    assert kept == {image.digest} <= digests
    database.close()


def test_a_gallery_and_its_definition(settings: Settings) -> None:
    def make(database: Database, _number: int) -> tuple[object, object]:
        galleries = GalleryLibrary(database)
        gallery = galleries.create_gallery(DEFINITION, location="westus")
        definition = galleries.create_definition(
            DEFINITION,
            location="westus",
            os_type=FACTS.os_type,
            generation=FACTS.generation,
            identifier=default_identifier(DEFINITION),
        )
        return gallery.created_at, definition.created_at

    assert len(set(at_once(settings, make))) == 1


def test_one_source_gets_a_name(settings: Settings) -> None:
    database = open_database(settings)
    digest = adopt(settings, database, 9, body="a disk")
    database.close()

    def insert(database: Database, _number: int) -> bool:
        catalogue = Catalogue(database, ArtifactStore(settings.home, database))
        try:
            catalogue.insert(Urn("a", "b", "c", "1"), digest=digest, facts=FACTS, origin="here")
        except SourceError:
            return False
        return True

    assert sorted(at_once(settings, insert)) == [*[False] * (AT_ONCE - 1), True]


def use_or_remove(settings: Settings, database: Database, number: int, artifact: Artifact) -> str:
    artifacts = ArtifactStore(settings.home, database)
    if number == 0:
        return "removed" if artifacts.remove_unused(artifact.digest) else "in use"
    try:
        ImageLibrary(database, artifacts).put(
            f"{IMAGE}{number}",
            location="westus",
            artifact=artifact,
            facts=FACTS,
            tags={},
            writing=database.session,
        )
    except VmwrightError:
        return "refused"
    return "used"


@pytest.mark.parametrize("body", ["one disk", "another", "a third"])
def test_an_artifact_is_used_or_removed(settings: Settings, body: str) -> None:
    """Who takes it into use while another removes it either keeps it from that or is told that it is gone."""
    database = open_database(settings)
    digest = adopt(settings, database, 0, body=body)
    artifact = ArtifactStore(settings.home, database).get(digest)
    database.close()
    removed, *used = at_once(settings, lambda mine, which: use_or_remove(settings, mine, which, artifact))
    assert artifact.path.exists() is (removed == "in use")
    assert set(used) <= ({"used"} if removed == "in use" else {"refused"})


def test_threads_that_write_at_once_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(engines, "BUSY_SECONDS", 0)  # SQLite itself lets nobody wait
        database = open_database(Settings(home=tmp_path / "home"))

    def write(_: int) -> None:
        for number in range(20):
            with database.session() as session:
                lock(session, "anything")
                session.execute(update(BuildRow).values(priority=number))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(write, range(AT_ONCE)))
    database.close()
