from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmwright.settings import Settings
from vmwright.state.database import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.settings import DatabaseSettings


@pytest.fixture
def database(tmp_path: Path, database_settings: DatabaseSettings) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home", database=database_settings))
    yield database
    database.close()


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder of the test's own on another file system than its others."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("this host has no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="vmwright-") as folder:
        yield Path(folder)
