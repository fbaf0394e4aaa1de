"""Migrations make the schema that the tables describe, on either kind of database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import create_engine, inspect, text

from tests.component.state.conftest import engine_of
from vmwright.errors import VmwrightError
from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.database import SCHEMA, open_database
from vmwright.state.migrations import configuration, upgrade
from vmwright.state.tables import Base

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.postgres import PostgreSQL


def dump(engine: Engine) -> dict[str, object]:
    """Return what compare_metadata does not look at: keys, constraints, how a reference ends, defaults."""
    known = inspect(engine)
    return {
        table: (
            sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in known.get_columns(table)
            ),
            known.get_pk_constraint(table),
            sorted(known.get_foreign_keys(table), key=str),
            sorted(known.get_unique_constraints(table), key=str),
            sorted(known.get_indexes(table), key=str),
        )
        for table in known.get_table_names()
        if table != "alembic_version"
    }


def check_migrated(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_migrated_sqlite_is_what_the_tables_say(tmp_path: Path) -> None:
    migrated = create_engine(f"sqlite:///{tmp_path / 'migrated.sqlite'}")
    upgrade(migrated)
    check_migrated(migrated)
    made = create_engine(f"sqlite:///{tmp_path / 'made.sqlite'}")
    Base.metadata.create_all(made)
    assert dump(migrated) == dump(made)
    migrated.dispose()
    made.dispose()


def test_a_migrated_postgresql_is_what_the_tables_say(tmp_path: Path, postgresql: PostgreSQL) -> None:
    migrated, made = (
        engine_of(Settings(home=tmp_path, database=DatabaseSettings(url=SecretStr(postgresql.empty()))))
        for _ in range(2)
    )
    upgrade(migrated)
    check_migrated(migrated)
    Base.metadata.create_all(made)
    assert dump(migrated) == dump(made)
    migrated.dispose()
    made.dispose()


def test_the_schema_that_the_code_wants_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(configuration()).get_heads() == [SCHEMA]


def test_opening_twice_migrates_once(empty: Settings) -> None:
    for _ in range(2):
        open_database(empty).close()


def test_the_database_of_a_newer_version_is_left_alone(empty: Settings, engine: Engine) -> None:
    open_database(empty).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(VmwrightError, match="has schema 9999") as refused:
        open_database(empty)
    assert "newer vmwright" in str(refused.value.hint)


def test_a_postgresql_that_cannot_hold_all_texts_is_refused(tmp_path: Path, postgresql: PostgreSQL) -> None:
    url = SecretStr(postgresql.empty(encoding="LATIN1"))
    with pytest.raises(VmwrightError, match="encoding LATIN1") as refused:
        open_database(Settings(home=tmp_path, database=DatabaseSettings(url=url)))
    assert "ENCODING 'UTF8'" in str(refused.value.hint)
