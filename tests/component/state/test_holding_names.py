"""Names that one at a time has, of all who share a database, for longer than a transaction may take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tests.postgres import PostgreSQL
from vmwright.artifacts.locks import alone
from vmwright.errors import VmwrightError
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database

END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle in transaction'
"""


@pytest.fixture
def shared(tmp_path: Path, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database whose server ends transactions that do nothing for a second."""
    monkeypatch.setattr("vmwright.state.engines.IDLE_SECONDS", 1)
    with postgresql.migrated() as configured:
        database = open_database(Settings(home=tmp_path, database=configured))
        yield database
        database.close()


def ask(database: Database, what: str) -> None:
    with database.session() as session:
        session.execute(text(what))


async def test_one_at_a_time_has_a_name(settings: Settings) -> None:
    inside: list[int] = []
    seen: list[list[int]] = []

    async def have(name: str, number: int) -> None:
        mine = open_database(settings)
        async with alone(mine, name) as make_sure:
            inside.append(number)
            await asyncio.sleep(0)
            make_sure()
            seen.append(list(inside))
            inside.remove(number)
        mine.close()

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(have("a", number))
    assert sorted(seen) == [[0], [1], [2], [3]]


async def test_two_names_are_had_at_once(database: Database) -> None:
    async with alone(database, "a"), alone(database, "b") as make_sure:
        make_sure()
        with database.session() as session:
            assert session.scalar(select(1)) == 1


async def test_a_name_is_kept_for_longer_than_an_idle_transaction(shared: Database) -> None:
    async with shared.holding("a") as make_sure:
        await asyncio.to_thread(ask, shared, "SELECT pg_sleep(2)")
        make_sure()


@pytest.mark.parametrize("asks", [True, False])
async def test_who_loses_a_name_is_told(shared: Database, *, asks: bool) -> None:
    came_to: list[str] = []

    async def lose() -> None:
        async with shared.holding("a") as make_sure:
            ask(shared, END_OTHERS)
            if asks:
                make_sure()
            came_to.append("the change")

    with pytest.raises(VmwrightError, match="cannot be used"):
        await lose()
    assert came_to == ([] if asks else ["the change"])
    async with shared.holding("a"):
        pass
