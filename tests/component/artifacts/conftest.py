from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vmwright.settings import Settings
from vmwright.state.database import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmwright.settings import DatabaseSettings


@pytest.fixture
def database(tmp_path: Path, database_settings: DatabaseSettings) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home", database=database_settings))
    yield database
    database.close()
