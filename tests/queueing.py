"""Builds and executors as rows only: what tests of the queue begin with."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from vmwright.machines.machine import MachineKind
from vmwright.machines.sizes import Capacity
from vmwright.runs.executors import Executor, ExecutorKind, Offer
from vmwright.runs.queue import Claim, guarded
from vmwright.runs.states import RunState, RunSubState
from vmwright.state.database import Database
from vmwright.state.tables import BuildRow, ExecutorRow

ALL = Capacity(8, 16384)
SMALL = Capacity(2, 4096)
LONG_AGO = timedelta(hours=1)
LEASE_OVER = timedelta(minutes=1)
submissions = itertools.count()


def offer(total: Capacity = ALL, **changed: Any) -> Offer:
    given: dict[str, Any] = {"machines": frozenset({MachineKind.VM}), "architecture": "x64", "kvm": False}
    return Offer(**given | changed, total=total)


def worker(database: Database, total: Capacity = ALL, **changed: Any) -> Executor:
    return Executor.register(database, ExecutorKind.WORKER, offer(total, **changed))


def command(database: Database) -> Executor:
    return Executor.register(database, ExecutorKind.BUILD, offer())


def submit(database: Database, name: str, ask: Capacity = SMALL, **changed: Any) -> str:
    """Record a build that waits in the queue, as one submitted after all others, and return its id."""
    build_id = str(uuid.uuid4())
    with database.session() as session:
        columns: dict[str, Any] = {
            "id": build_id,
            "name": name,
            "template": {},
            "request": {},
            "run_state": RunState.RUNNING,
            "run_sub_state": RunSubState.QUEUED,
            "folder": f"/builds/{build_id}",
            "queued": True,
            "priority": 0,
            "architecture": "x64",
            "cpus": ask.cpus,
            "memory_mib": ask.memory_mib,
            "attempt": 0,
            "started_at": database.now(session) - LONG_AGO + timedelta(milliseconds=next(submissions)),
        }
        session.add(BuildRow(**columns | changed))
    return build_id


def end(database: Database, held: Claim) -> None:
    """Record the end of a build, as who has it does."""
    with database.session() as session:
        guarded(session, held)
        row = session.get_one(BuildRow, held.build_id)
        row.run_state = RunState.CANCELED if row.cancel_asked_at else RunState.SUCCEEDED
        row.run_sub_state, row.ended_at = None, database.now(session)


def row_of(database: Database, build_id: str) -> BuildRow:
    with database.session() as session:
        return session.get_one(BuildRow, build_id)


def let_lease_end(database: Database, executor_id: str) -> None:
    """Do what a long time does."""
    with database.session() as session:
        over = database.now(session) - LEASE_OVER
    change_executor(database, executor_id, lease_until=over)


def change_executor(database: Database, executor_id: str, **columns: Any) -> None:
    with database.session() as session:
        session.execute(update(ExecutorRow).where(ExecutorRow.id == executor_id).values(**columns))
