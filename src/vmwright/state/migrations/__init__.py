"""Migrations of the database, run by alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

if TYPE_CHECKING:
    from sqlalchemy import Engine


def configuration() -> Config:
    """Return alembic's configuration: the scripts of this folder."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema, in one transaction; another process waits for its end."""
    config = configuration()
    # AUTOCOMMIT: Python's sqlite3 begins no transaction for what changes a schema, so one is begun here
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, connection.begin():
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
