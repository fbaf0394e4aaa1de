"""Executors: the processes that run builds, and how each of them is known to live.

An executor has a row with a lease that it renews again and again. It is dead when its lease is over, by the
database's clock, or, seen from its own host, when its process is gone or the host has been started anew; one
that is merely stopped is dead by its lease only. Whoever sees a dead executor removes its row: its builds
then have no executor any more, and what it would still write about them is refused (``queue.guarded``).
"""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from sqlalchemy import and_, case, delete, select, update

from vmwright.runs.capacity import architecture
from vmwright.runs.states import RunSubState
from vmwright.state.host import boot_id, host_id, lives, started
from vmwright.state.tables import BuildRow, ExecutorRow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from vmwright.machines.machine import MachineKind
    from vmwright.machines.sizes import Capacity
    from vmwright.state.database import Database


class ExecutorKind(StrEnum):
    """A command that runs its own build, or a worker, which takes builds from the queue."""

    BUILD = "build"
    WORKER = "worker"


class ExecutorState(StrEnum):
    """Whether an executor takes builds on, or only ends those that it has."""

    ACTIVE = "active"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What builds find at an executor; ``total`` is what all of them share.

    :param architecture: x64 or Arm64.
    :param kvm: whether its virtual machines run under KVM.
    """

    machines: frozenset[MachineKind]
    architecture: str
    kvm: bool
    total: Capacity

    @classmethod
    def of_this_host(cls, machines: frozenset[MachineKind], total: Capacity, *, kvm: bool) -> Self:
        """Return an offer with this host's architecture."""
        return cls(machines=machines, architecture=architecture(), kvm=kvm, total=total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """For how long an executor lives without a beat, and how often it beats, in seconds."""

    ttl: float = 15.0
    beat: float = 5.0


class Executor:
    """This process, as something that runs builds. Each method is one transaction."""

    def __init__(
        self, database: Database, executor_id: str, kind: ExecutorKind, offer: Offer, lease: Lease
    ) -> None:
        self._database = database
        self.id = executor_id
        self.kind = kind
        self.offer = offer
        self.lease = lease

    @classmethod
    def register(
        cls, database: Database, kind: ExecutorKind, offer: Offer, *, lease: Lease | None = None
    ) -> Self:
        """Record this process as an executor: by a new id each time, never that of an earlier one.

        :raises VmwrightError: the database cannot be written.
        """
        executor = cls(database, str(uuid.uuid4()), kind, offer, lease or Lease())
        with database.session() as session:
            now = database.now(session)
            session.add(
                ExecutorRow(
                    id=executor.id,
                    kind=kind,
                    host=host_id(),
                    host_name=platform.node(),
                    pid=os.getpid(),
                    started=started(os.getpid()),
                    boot_id=boot_id(),
                    state=ExecutorState.ACTIVE,
                    machines=sorted(offer.machines),
                    architecture=offer.architecture,
                    kvm=offer.kvm,
                    cpus=offer.total.cpus,
                    memory_mib=offer.total.memory_mib,
                    started_at=now,
                    lease_until=now + timedelta(seconds=executor.lease.ttl),
                )
            )
        return executor

    def beat(self) -> bool:
        """Renew the lease; False: somebody has declared this executor dead, and its builds are others'.

        :raises VmwrightError: the database cannot be written.
        """
        with self._database.session() as session:
            until = self._database.now(session) + timedelta(seconds=self.lease.ttl)
            return self._change(session, lease_until=until)

    def drain(self) -> bool:
        """Record that it takes no more builds on, so that none is held for it; False as with ``beat``."""
        with self._database.session() as session:
            return self._change(session, state=ExecutorState.DRAINING)

    def end(self) -> None:
        """Take the executor out; builds that it still has are left to others."""
        with self._database.session() as session:
            session.execute(delete(ExecutorRow).where(ExecutorRow.id == self.id))
            _leave_builds(session, self.id)

    def _change(self, session: Session, **columns: object) -> bool:
        mine = update(ExecutorRow).where(ExecutorRow.id == self.id).values(**columns)
        return session.scalars(mine.returning(ExecutorRow.id)).one_or_none() is not None


def is_alive(row: ExecutorRow, now: datetime) -> bool:
    """Return whether an executor lives.

    A command that its user has stopped (Ctrl-Z) and may go on with is alive to its own host.

    :param now: by the database's clock.
    """
    if row.host != host_id():
        return row.lease_until > now
    is_leased = row.kind == ExecutorKind.BUILD or row.lease_until > now
    return is_leased and lives(row.pid, row.started, row.boot_id)


def living(database: Database) -> list[ExecutorRow]:
    """Return the executors that live, once the rows of those that do not are removed.

    Of several processes that see the same dead executor, one removes it.

    :raises VmwrightError: the database cannot be read or written.
    """
    with database.session() as session:
        now = database.now(session)
        rows = session.scalars(select(ExecutorRow).order_by(ExecutorRow.started_at, ExecutorRow.id)).all()
    alive = [row for row in rows if is_alive(row, now)]
    for row in rows:
        if row not in alive:
            _bury(database, row)
    return alive


def _bury(database: Database, row: ExecutorRow) -> None:
    """Remove a dead executor, unless it has renewed its lease since it was looked at."""
    with database.session() as session:
        same = and_(ExecutorRow.id == row.id, ExecutorRow.lease_until == row.lease_until)
        gone = delete(ExecutorRow).where(same).returning(ExecutorRow.id)
        if session.scalars(gone).one_or_none() is not None:
            _leave_builds(session, row.id)


def _leave_builds(session: Session, executor_id: str) -> None:
    """Take the builds of an executor from it: those of the queue wait there again."""
    waits = and_(BuildRow.queued.is_(True), BuildRow.cancel_asked_at.is_(None))
    session.execute(
        update(BuildRow)
        .where(BuildRow.executor == executor_id, BuildRow.ended_at.is_(None))
        .values(executor=None, run_sub_state=case((waits, RunSubState.QUEUED), else_=BuildRow.run_sub_state))
        .execution_options(synchronize_session=False)
    )
