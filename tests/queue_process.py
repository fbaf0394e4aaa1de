"""A process that takes builds from the queue, for tests that start, stop and kill several of them.

    python -m tests.queue_process all      take and end builds until none is left, a line for each
    python -m tests.queue_process one      take one, then write about it whenever a line comes in

The database is that of VMWRIGHT_HOME and VMWRIGHT_DATABASE__URL.
"""

from __future__ import annotations

import sys
import time

from sqlalchemy import ColumnElement, func, select, update

from tests.queueing import ALL, end, worker
from vmwright import settings
from vmwright.errors import LostBuildError
from vmwright.runs.executors import Executor
from vmwright.runs.queue import Claim, claim_next, guarded
from vmwright.state.database import Database, open_database
from vmwright.state.tables import BuildRow

PAUSE = 0.02


def main() -> None:
    database = open_database(settings.load())
    executor = worker(database)
    print("ready", flush=True)
    sys.stdin.readline()
    if sys.argv[1] == "all":
        take_all(database, executor)
    else:
        take_one(database, executor)
    database.close()


def take_all(database: Database, executor: Executor) -> None:
    while count(database, BuildRow.ended_at.is_(None)):
        held = claim_next(database, executor, ALL)
        if held is None:
            time.sleep(PAUSE)
            continue
        with database.session() as session:
            key = session.get_one(BuildRow, held.build_id).key
        same = count(
            database, BuildRow.key == key, BuildRow.executor.is_not(None), BuildRow.ended_at.is_(None)
        )
        print(held.build_id, held.attempt, same, flush=True)
        end(database, held)


def take_one(database: Database, executor: Executor) -> None:
    held = claim_next(database, executor, ALL)
    assert held is not None
    print(held.build_id, flush=True)
    for line in sys.stdin:
        print("written" if writes(database, held, line.strip()) else "refused", flush=True)


def writes(database: Database, held: Claim, text: str) -> bool:
    try:
        with database.session() as session:
            guarded(session, held)
            session.execute(update(BuildRow).where(BuildRow.id == held.build_id).values(message=text))
    except LostBuildError:
        return False
    return True


def count(database: Database, *conditions: ColumnElement[bool]) -> int:
    with database.session() as session:
        return session.scalars(select(func.count(BuildRow.id)).where(*conditions)).one()


if __name__ == "__main__":
    main()
