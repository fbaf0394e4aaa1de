"""Opening the database and bringing it to the schema of this version."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy import Engine

SCHEMA = "0002"
FILE_NAME = "state.sqlite"
BUSY_SECONDS = 30


class Database:
    """The records of one $VMWRIGHT_HOME. Every ``session`` is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Open a transaction: committed at the end, rolled back where an error leaves it.

        :raises VmwrightError: the database cannot be read or written (a full disk, a lock held for long).
        """
        try:
            with self._sessions.begin() as session:
                yield session
        except DBAPIError as error:
            raise _unusable(error.orig or error) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_database(home: Path) -> Database:
    """Open the database in ``home``, making it or migrating it where it is not of this version's schema.

    :raises VmwrightError: it cannot be made, read or written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = create_engine(f"sqlite:///{home / FILE_NAME}", connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _configure)
        if _schema_of(engine) != SCHEMA:
            from vmwright.state.migrations import upgrade  # noqa: PLC0415 - alembic takes 0.3 s to import

            upgrade(engine)
    except OSError as error:
        raise _unusable(error) from error
    except DBAPIError as error:
        raise _unusable(error.orig or error) from error
    return Database(engine)


def _unusable(error: BaseException) -> VmwrightError:
    return VmwrightError(
        f"The database {FILE_NAME} cannot be used: {error}",
        hint="see whether $VMWRIGHT_HOME can be written and its disk has room",
    )


def _configure(connection: SqliteConnection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _schema_of(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return str(row[0]) if row else None
