"""Where the records are: the engine of a SQLite file, or of a PostgreSQL that hosts share."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from vmwright.errors import VmwrightError
from vmwright.secret_values import read_secret

if TYPE_CHECKING:
    from pathlib import Path
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from vmwright.settings import DatabaseSettings, Settings

FILE_NAME = "state.sqlite"
JOURNAL_NAME = "journal.sqlite"
BUSY_SECONDS = 30
# The change of a file's mode by another process, of which nobody is told, takes less.
MODE_SECONDS = 0.02
CONNECT_SECONDS = 5
# A process that is stopped in the middle of a transaction must not hold up those that take its builds over.
IDLE_SECONDS = 15
# What a connection that may write carries.
TURN = "vmwright_turn"
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
PROTOCOLS = ("postgresql", "postgres", "postgresql+psycopg")
URL_KEY = "database.url"
PASSWORD_KEY = "database.password"  # noqa: S105 - the name of the key
HOME_HINT = "see whether $VMWRIGHT_HOME can be written and its disk has room"
SERVER_HINT = (
    "see whether PostgreSQL runs there, and database.url and database.password (docs/configuration.md)"
)
# A server that has vanished without a word is noticed; seconds, the last one milliseconds.
ALIVE = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


def postgresql_url(settings: DatabaseSettings) -> URL | None:
    """Return the URL of the PostgreSQL, with its password and driver; None where the records are in SQLite.

    :raises VmwrightError: it is not the URL of a PostgreSQL, or its password cannot be had.
    """
    if settings.url is None:
        if settings.password is not None:
            raise VmwrightError(
                f"{PASSWORD_KEY} is given without {URL_KEY}", target=PASSWORD_KEY, hint=f"add {URL_KEY}"
            )
        return None
    url = _parsed(settings.url.get_secret_value())
    if settings.password is None:
        return url
    if url.password is not None:
        raise VmwrightError(
            f"{URL_KEY} has a password, and {PASSWORD_KEY} another",
            target=PASSWORD_KEY,
            hint="leave it out of the URL",
        )
    return url.set(password=read_secret(settings.password, key=PASSWORD_KEY))


def journal_url(settings: Settings) -> URL:
    """Return where the journal of builds is (``durable``): in PostgreSQL, or in a file beside the records.

    :raises VmwrightError: as ``postgresql_url``.
    """
    return postgresql_url(settings.database) or make_url(f"sqlite:///{settings.home / JOURNAL_NAME}")


def postgresql_engine(url: URL) -> Engine:
    """Return an engine whose connections are tried before use and notice when the server is gone."""
    return create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=connection_to(url))


def connection_to(url: URL) -> dict[str, str]:
    """Return what each connection to a PostgreSQL is made with, so that none waits without bound.

    What the URL says of it counts instead.
    """
    server = f"-c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
    defaults = {"connect_timeout": str(CONNECT_SECONDS), "application_name": "vmwright", **ALIVE}
    given = {name: value for name, value in defaults.items() if name not in url.query}
    return {**given, "options": " ".join([server, *_values(url, "options")])}


def sqlite_engine(home: Path) -> Engine:
    """Return the engine of the file in ``home``, which is made where it is missing."""
    engine = create_engine(
        f"sqlite:///{home / FILE_NAME}", hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _configure)
    _Turn(engine)
    return engine


def name_of(engine: Engine) -> str:
    """Return how an error names the database: without a password."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return FILE_NAME
    where = url.host or ", ".join(_values(url, "host")) or "the default host"
    return f"{url.database or 'of PostgreSQL'} at {where}{f':{url.port}' if url.port else ''}"


def hint_of(engine: Engine) -> str:
    """Return what to look at where the database cannot be used."""
    return HOME_HINT if engine.dialect.name == "sqlite" else SERVER_HINT


def reason_of(error: BaseException, engine: Engine) -> str:
    """Return what is wrong, in one line: no password of the URL, and not the rows that PostgreSQL shows."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    line = " ".join((primary or str(error)).split())
    for secret in filter(None, (engine.url.password, *_values(engine.url, "password"))):
        line = line.replace(secret, "***")
    return line


def _parsed(text: str) -> URL:
    protocol, found, _ = text.partition("://")
    if not found or protocol not in PROTOCOLS:
        shown = f"{protocol}://" if found and re.fullmatch(r"[a-z+\d]{1,32}", protocol) else "something else"
        raise VmwrightError(
            f"{URL_KEY} begins with {shown}, but only PostgreSQL can be shared",
            target=URL_KEY,
            hint="write postgresql://USER@HOST:PORT/NAME; without the key, records are in a SQLite file",
        )
    try:
        return make_url(text).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        # the error has the URL, and with it the password
        raise VmwrightError(
            f"{URL_KEY} cannot be read",
            target=URL_KEY,
            hint="write postgresql://USER@HOST:PORT/NAME, with %XX for what is no letter or digit",
        ) from None


def _values(url: URL, name: str) -> tuple[str, ...]:
    value = url.query.get(name, ())
    return (value,) if isinstance(value, str) else value


class _Turn:
    """Lets the threads of this process write to a SQLite file one after the other.

    SQLite itself has whoever finds the file locked sleep and look again, for 0.1 s at a time: of several that
    write at once, some would wait many times longer than the writing of all takes.
    """

    def __init__(self, engine: Engine) -> None:
        self._lock = threading.Lock()
        event.listen(engine, "before_cursor_execute", self._take)
        event.listen(engine, "checkin", self._give_back)

    def _take(
        self,
        connection: Connection,
        _cursor: object,
        statement: str,
        _parameters: object,
        _context: object,
        _many: object,
    ) -> None:
        """Wait for the turn before a transaction writes; as long as SQLite would, which then refuses."""
        if connection.info.get(TURN) or not WRITES.match(statement):
            return
        connection.info[TURN] = self._lock.acquire(timeout=BUSY_SECONDS)

    def _give_back(self, _connection: object, record: ConnectionPoolEntry) -> None:
        """End the turn: the transaction is over once its connection is back in the pool."""
        if record.info.pop(TURN, None):
            self._lock.release()


def _configure(connection: SqliteConnection, _record: object) -> None:
    log_ahead(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def log_ahead(connection: SqliteConnection) -> None:
    """Have the file in WAL mode, which stays; where another process changes that just now, wait for it.

    SQLite itself refuses at once: no time-out applies to this change.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(MODE_SECONDS)
        else:
            return
