from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.engines import postgresql_engine, postgresql_url, sqlite_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.postgres import PostgreSQL


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """The configuration of a database that has no tables yet."""
    home = tmp_path / "home"
    home.mkdir()
    if request.param == "sqlite":
        return Settings(home=home, database=DatabaseSettings())
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return Settings(home=home, database=DatabaseSettings(url=SecretStr(server.empty())))


@pytest.fixture
def engine(empty: Settings) -> Iterator[Engine]:
    """A connection to it that goes round the code that opens databases."""
    engine = engine_of(empty)
    yield engine
    engine.dispose()


def engine_of(settings: Settings) -> Engine:
    url = postgresql_url(settings.database)
    return postgresql_engine(url) if url else sqlite_engine(settings.home)
