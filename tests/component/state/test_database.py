"""What all of the house relies on: values that come back, locks that hold, a clock that is shared."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from tests.build_rows import build_row
from vmwright.errors import VmwrightError
from vmwright.settings import Settings
from vmwright.state.database import Database, lock, open_database
from vmwright.state.tables import BuildRow, TemplateRow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import PostgreSQL

AT = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
AT_ONCE = 4


def test_values_come_back_as_they_were(database: Database) -> None:
    document = {"z": 1, "a": {"text": "å\u0000\U0001f600", "none": None}, "list": [1.5, True]}
    with database.session() as session:
        session.add(build_row("b", template=document, queued=True, memory_mib=1 << 40, deadline=AT))
        session.add(build_row("c", message="a\0b"))
    with database.session() as session:
        row = session.get_one(BuildRow, "b")
        assert (row.queued, row.memory_mib) == (True, 1 << 40)
        assert list(row.template.items()) == list(document.items())
        assert row.deadline is not None
        assert (row.deadline, row.deadline.tzinfo, row.ended_at) == (AT, UTC, None)
        assert session.get_one(BuildRow, "c").message == "a\N{REPLACEMENT CHARACTER}b"
        assert session.scalar(select(BuildRow.id).where(BuildRow.deadline == AT)) == "b"
        assert session.scalar(select(BuildRow.id).where(BuildRow.deadline < AT + timedelta(hours=1))) == "b"


def test_a_session_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        add_and_fail(database)
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(BuildRow)) == 0


def add_and_fail(database: Database) -> None:
    with database.session() as session:
        session.add(build_row())
        session.flush()
        raise ZeroDivisionError


def test_the_clock_moves_within_a_transaction(database: Database, settings: Settings) -> None:
    assert database.is_shared is (settings.database.url is not None)
    with database.session() as session:
        first, second = database.now(session), database.now(session)
    assert first < second
    assert first.tzinfo is UTC


def test_one_at_a_time_has_a_lock(settings: Settings) -> None:
    """Each reads, thinks and writes what it has read, with a connection of its own, as a process would."""
    start = threading.Barrier(AT_ONCE, timeout=60)

    def count(_: int) -> None:
        mine = open_database(settings)
        start.wait()
        for _round in range(5):
            with mine.session() as session:
                lock(session, "counter")
                row = session.get(TemplateRow, "counter")
                if row is None:
                    row = template_row("counter")
                    session.add(row)
                row.document = {"count": row.document["count"] + 1}
        mine.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(count, range(AT_ONCE)))
    database = open_database(settings)
    with database.session() as session:
        assert session.get_one(TemplateRow, "counter").document == {"count": 5 * AT_ONCE}
    database.close()


def template_row(key: str) -> TemplateRow:
    return TemplateRow(key=key, name=key, api_version="", document={"count": 0}, created_at=AT, updated_at=AT)


def test_what_another_has_made_meanwhile_is_said(database: Database) -> None:
    with database.session() as session:
        session.add(template_row("one"))
    with pytest.raises(VmwrightError, match="refuses a change") as refused, database.session() as session:
        session.add(template_row("one"))
    assert "try again" in str(refused.value.hint)


def test_no_error_shows_the_row_that_it_is_about(database: Database) -> None:
    with pytest.raises(VmwrightError) as refused, database.session() as session:
        session.add(build_row(request={"secret": "hunter2"}, run_state=None))
    assert "hunter2" not in refused.value.message


def test_a_postgresql_that_is_restarted_is_waited_for(tmp_path: Path, postgresql: PostgreSQL) -> None:
    with postgresql.migrated() as configured:
        database = open_database(Settings(home=tmp_path, database=configured))
        with database.session() as session:
            session.add(template_row("before"))
        with ThreadPoolExecutor(1) as pool:
            postgresql.stop()
            known = pool.submit(keys_in, database)
            postgresql.start()
            assert known.result() == ["before"]
        database.close()


def keys_in(database: Database) -> list[str]:
    with database.session() as session:
        return list(session.scalars(select(TemplateRow.key)))


def test_a_process_that_stops_in_a_transaction_does_not_hold_it(
    tmp_path: Path, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmwright.state.engines.IDLE_SECONDS", 1)
    with postgresql.migrated() as configured:
        settings = Settings(home=tmp_path, database=configured)
        stopped, living = open_database(settings), open_database(settings)
        with pytest.raises(VmwrightError, match="cannot be used"):
            stop_within(stopped, meanwhile=living)
        assert keys_in(living) == ["of the living"]
        stopped.close()
        living.close()


def stop_within(stopped: Database, *, meanwhile: Database) -> None:
    with stopped.session() as session:
        lock(session, "one")
        session.add(template_row("of the stopped"))
        session.flush()
        with meanwhile.session() as other:
            lock(other, "one")  # waits until the server ends the connection of the one that does nothing
            other.add(template_row("of the living"))
