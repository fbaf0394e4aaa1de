"""A home of the test's own, with its database (SQLite, and PostgreSQL besides), and what is said in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripted import Recorder
from vmwright.events import Events
from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.database import Database, open_database


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings) -> Settings:
    return Settings(home=tmp_path / "home", database=database_settings)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = open_database(settings)
    yield database
    database.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def events(recorder: Recorder) -> Events:
    return Events(recorder)
