"""Migrations of the database, run by alembic."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import func, select, text

from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine


def configuration() -> Config:
    """Return alembic's configuration: the scripts of this folder."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema, in one transaction; another process waits for its end.

    :raises VmwrightError: the database cannot hold all texts.
    """
    begin = _begin_postgresql if engine.dialect.name == "postgresql" else _begin_sqlite
    config = configuration()
    with begin(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextlib.contextmanager
def _begin_postgresql(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("vmwright migration", 0))))
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise VmwrightError(
                f"The database {engine.url.database} has the encoding {encoding}, not UTF8",
                hint="make one with: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
            )
        yield connection


@contextlib.contextmanager
def _begin_sqlite(engine: Engine) -> Iterator[Connection]:
    # AUTOCOMMIT: Python's sqlite3 begins no transaction for what changes a schema, so one is begun here
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # A table is changed by making it anew: what refers to it must not go with the old one. This has no
        # effect within a transaction.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.commit()
        try:
            with connection.begin():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        finally:
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
