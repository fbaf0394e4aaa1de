"""Migrations make the schema that the tables describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from vmwright.state.database import SCHEMA, open_database
from vmwright.state.migrations import configuration, upgrade
from vmwright.state.tables import Base

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine


def dump(engine: Engine) -> dict[str, object]:
    """Return what compare_metadata does not look at: keys, constraints, how a reference ends."""
    known = inspect(engine)
    return {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in known.get_columns(table)),
            known.get_pk_constraint(table),
            sorted(known.get_foreign_keys(table), key=str),
            sorted(known.get_unique_constraints(table), key=str),
            sorted(known.get_indexes(table), key=str),
        )
        for table in known.get_table_names()
        if table != "alembic_version"
    }


def test_a_migrated_database_is_what_the_tables_say(tmp_path: Path) -> None:
    migrated = create_engine(f"sqlite:///{tmp_path / 'migrated.sqlite'}")
    upgrade(migrated)
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    made = create_engine(f"sqlite:///{tmp_path / 'made.sqlite'}")
    Base.metadata.create_all(made)
    assert dump(migrated) == dump(made)
    migrated.dispose()
    made.dispose()


def test_the_schema_that_the_code_wants_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(configuration()).get_heads() == [SCHEMA]


def test_opening_twice_migrates_once(tmp_path: Path) -> None:
    for _ in range(2):
        open_database(tmp_path).close()
