"""Opening the database and bringing it to the schema of this version."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, false, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from vmwright.errors import VmwrightError
from vmwright.state import engines
from vmwright.state.tables import DatabaseRow, ResourceRow, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import Connection, Engine, Function

    from vmwright.settings import Settings

SCHEMA = "0006"
# What opens a transaction: ``Database.session``, or one in which whoever writes makes sure first that it may.
Writing = Callable[[], AbstractContextManager[Session]]
# How long a PostgreSQL may take to restart.
RESTART_SECONDS = 10
# How often somebody who wants a name tries to have it: a wait in the server could not be cancelled.
POLL_SECONDS = 0.2


class Database:
    """The records of a home, or of homes that share a PostgreSQL. Every ``session`` is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def is_shared(self) -> bool:
        """Whether other hosts may be at it, too."""
        return self._engine.dialect.name == "postgresql"

    @property
    def folder(self) -> Path | None:
        """Where its file is; None for a PostgreSQL."""
        return None if self.is_shared else Path(self._engine.url.database or "").parent

    @functools.cached_property
    def id(self) -> str:
        """What tells it from others that a home or a store may have known."""
        with self.session() as session:
            return session.scalars(select(DatabaseRow.id)).one()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Open a transaction: committed at the end, rolled back where an error leaves it.

        A PostgreSQL that is being restarted is waited for, for some seconds, before the transaction begins.

        :raises VmwrightError: the database cannot be read or written (a full disk, a lock held for long, a
            lost connection), or another process has made or removed the same thing just now.
        """
        try:
            with (
                self._connect() as connection,
                Session(connection, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session
        except DBAPIError as error:
            raise _unusable(error, self._engine) from error

    def now(self, session: Session) -> datetime:
        """Return the time by the clock that all who share the database have in common, in UTC."""
        if not self.is_shared:
            return datetime.now(UTC)
        at: datetime = session.scalars(select(func.clock_timestamp(type_=UtcDateTime()))).one()
        return at

    @contextlib.asynccontextmanager
    async def holding(self, name: str) -> AsyncIterator[Callable[[], None]]:
        """Have a name of a PostgreSQL, one at a time among all its hosts, for as long as the block takes.

        A process that hangs loses it after ``IDLE_SECONDS``, so that others can go on. The block is given
        what raises where the name is lost: it calls that before each change outside the database.

        :raises VmwrightError: the database cannot be used, or the name was lost within the block.
        """
        with contextlib.ExitStack() as stack:
            session = await self._named(name, stack)
            staying = asyncio.create_task(_stay(session))

            def make_sure() -> None:
                if staying.done():
                    staying.result()
                session.execute(select(1))

            try:
                yield make_sure
                make_sure()
            finally:
                staying.cancel()
                await asyncio.gather(staying, return_exceptions=True)

    async def _named(self, name: str, stack: contextlib.ExitStack) -> Session:
        """Wait for a name and return the transaction that has it, which ends with ``stack``."""
        while True:
            with contextlib.ExitStack() as attempt:
                session = attempt.enter_context(self.session())
                if session.scalar(select(func.pg_try_advisory_xact_lock(_number(name)))):
                    stack.enter_context(attempt.pop_all())
                    return session
            await asyncio.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _connect(self) -> Connection:
        if not self.is_shared:
            return self._engine.connect()
        import stamina  # noqa: PLC0415 - it takes 0.08 s to import

        # it would print each attempt to standard error
        stamina.instrumentation.set_on_retry_hooks(())
        for attempt in stamina.retry_context(
            OperationalError, attempts=None, timeout=RESTART_SECONDS, wait_initial=0.1, wait_max=1.0
        ):
            with attempt:
                return self._engine.connect()
        raise AssertionError("the last attempt raises")


def open_database(settings: Settings) -> Database:
    """Open the database of the configuration, made or migrated where it is not of this version's schema.

    The home is made, too, where it is missing.

    :raises VmwrightError: it cannot be made, reached, read or written, or is of a newer version.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise VmwrightError(
            f"The folder for all data cannot be used: {error}", hint=engines.HOME_HINT
        ) from error
    if url := engines.postgresql_url(settings.database):
        engine = engines.postgresql_engine(url)
    else:
        engine = engines.sqlite_engine(settings.home)
    with contextlib.ExitStack() as undo:
        undo.callback(engine.dispose)
        try:
            _bring_up_to_date(engine)
        except DBAPIError as error:
            raise _unusable(error, engine) from error
        undo.pop_all()
    return Database(engine)


def lock(session: Session, name: str) -> None:
    """Wait until no other transaction has this name locked; it is until the end of this one.

    What is read after it stays true until then, if all who write it take the lock first. In SQLite, all who
    write wait, whatever the name.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_number(name))))
    else:
        # what would write takes the right to, also where it finds no row
        session.execute(delete(ResourceRow).where(false()))


def _number(name: str) -> Function[int]:
    return func.hashtextextended(name, 0)


async def _stay(session: Session) -> None:
    """Keep the server from ending a transaction for doing nothing."""
    while True:
        await asyncio.sleep(engines.IDLE_SECONDS / 3)
        session.execute(select(1))


def _unusable(error: DBAPIError, engine: Engine) -> VmwrightError:
    name, reason = engines.name_of(engine), engines.reason_of(error.orig or error, engine)
    if isinstance(error, IntegrityError):
        return VmwrightError(
            f"The database {name} refuses a change: {reason}",
            hint="another process has made or removed the same thing at this moment: try again",
        )
    return VmwrightError(f"The database {name} cannot be used: {reason}", hint=engines.hint_of(engine))


def _bring_up_to_date(engine: Engine) -> None:
    schema = _schema_of(engine)
    if schema == SCHEMA:
        return
    if schema is not None and schema > SCHEMA:
        raise VmwrightError(
            f"The database {engines.name_of(engine)} has schema {schema}, which this version does not know",
            hint="a newer vmwright has used it: install that one here, too",
        )
    from vmwright.state.migrations import upgrade  # noqa: PLC0415 - alembic takes 0.3 s to import

    upgrade(engine)


def _schema_of(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return str(row[0]) if row else None
