"""Whose the artifacts in a home are, where it has known more than one database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgreSQL
from vmwright.artifacts import ArtifactStore
from vmwright.artifacts.homes import OWNER, folder_of, folders_of_others
from vmwright.errors import StoreError
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def alone(home: Path) -> Iterator[Database]:
    """The SQLite in the home."""
    database = open_database(Settings(home=home))
    yield database
    database.close()


@pytest.fixture
def farm(home: Path, postgresql: PostgreSQL) -> Iterator[Database]:
    """The PostgreSQL that is configured later."""
    with postgresql.migrated() as settings:
        database = open_database(Settings(home=home, database=settings))
        yield database
        database.close()


def test_the_first_database_of_a_home_has_its_artifacts_in_the_known_place(
    home: Path, alone: Database, farm: Database
) -> None:
    first = home / "artifacts" / "sha256"
    assert [folder_of(home, alone), folder_of(home, alone)] == [first, first]
    assert folder_of(home, farm) == home / "artifacts" / farm.id / "sha256"
    assert folder_of(home.with_name("another"), farm) == home.with_name("another") / "artifacts" / "sha256"


async def test_artifacts_older_than_the_mark_are_those_of_the_homes_own_database(
    home: Path, alone: Database, farm: Database, tmp_path: Path
) -> None:
    (tmp_path / "disk").write_bytes(b"a disk")
    older = await ArtifactStore(home, alone).adopt(tmp_path / "disk", "qcow2")
    (home / OWNER).unlink()
    (tmp_path / "disk").write_bytes(b"another disk")
    newer = await ArtifactStore(home, farm).adopt(tmp_path / "disk", "qcow2")
    assert folders_of_others(home, farm) == [home / "artifacts" / "sha256"]
    # nobody needs the old records any more
    (home / "state.sqlite").unlink()
    assert ArtifactStore(home, farm).get(newer.digest) == newer
    assert older.path.exists()


def test_a_home_that_cannot_be_marked_is_named(home: Path, alone: Database) -> None:
    (home / OWNER).mkdir()
    with pytest.raises(StoreError, match="Whose the files in") as caught:
        folder_of(home, alone)
    assert "VMWRIGHT_HOME" in (caught.value.hint or "")
