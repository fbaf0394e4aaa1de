"""The queue of builds: who has which build, and which build an executor takes next.

A build waits while it is ``queued``, has not ended and nobody has it. An executor takes, of those that it can
run and whose template is not being built by anybody: first what somebody has left (a take-over, or handed
over), then by priority, then of the template whose last build was begun longest ago (for one that was never
built its submission counts), then the oldest. A build that is first in this order, but needs more than is
free, is overtaken by at most ``turns.MOST_OVERTAKEN`` others; then an executor makes room for it.

Taking a build raises its ``attempt``: what anybody with a lower one writes about it is refused.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from vmwright.errors import LostBuildError, VmwrightError
from vmwright.machines.sizes import Capacity
from vmwright.runs import turns
from vmwright.runs.capacity import granted
from vmwright.runs.executors import living
from vmwright.runs.hints import hint_while_it_runs
from vmwright.runs.states import RunState, RunSubState
from vmwright.runs.turns import NOTHING, Waiting, next_turn
from vmwright.state.database import lock
from vmwright.state.tables import BuildRow, ExecutorRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from vmwright.runs.executors import Executor
    from vmwright.state.database import Database

CANCELING = "Canceling image build"
CANCELED_WAITING = "The build was cancelled while it waited in the queue"
# What is locked while a build is taken, or is ended because nobody has it: only one process at a time does.
QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A build that an executor has: only it may write about the build, as long as nobody has a later attempt.

    :param attempt: 1 for the first that has the build.
    :param granted: what the build's machine gets of the executor.
    :param canceling: somebody has asked for its cancel already: all there is to do is to clean up.
    :param correlation_id: of the service's request that asked for the build, "" where none did.
    """

    build_id: str
    attempt: int
    executor_id: str
    granted: Capacity
    canceling: bool = False
    correlation_id: str = ""

    @property
    def previous_attempt(self) -> int | None:
        """The attempt that this one goes on from."""
        return self.attempt - 1 or None


class CancelAnswer(StrEnum):
    """What has come of asking for a cancel.

    canceled: nothing of it had begun, it has ended; asked: the executor that has it will end it;
    asked-before: the same, and somebody had asked already; unowned: it had begun, but nobody living has it:
    who asks must ``claim`` it, clean up and end it; ended: it is over, or there is no such build.
    """

    CANCELED = "canceled"
    ASKED = "asked"
    ASKED_BEFORE = "asked-before"
    UNOWNED = "unowned"
    ENDED = "ended"


def claim(database: Database, build_id: str, executor: Executor) -> Claim | None:
    """Take a certain build, whatever its turn; None where somebody living has it, or it has ended.

    :raises LostBuildError: this executor itself has been declared dead.
    :raises VmwrightError: another build of its template runs.
    """
    with taking(database, executor) as session:
        row = session.get(BuildRow, build_id, with_for_update=True)
        if row is None or row.ended_at or row.executor:
            return None
        return take(session, database, row, executor)


@contextlib.contextmanager
def taking(database: Database, executor: Executor) -> Iterator[Session]:
    """Open a transaction in which nobody else takes a build, and no build is the dead's.

    :raises LostBuildError: this executor itself has been declared dead.
    """
    living(database)
    with database.session() as session:
        _enter(session, executor)
        yield session


def take(session: Session, database: Database, row: BuildRow, executor: Executor) -> Claim:
    """Take a certain build in a transaction of ``taking``; one that has ended runs again.

    :raises VmwrightError: somebody has it, or another build of its template runs.
    """
    if row.ended_at:
        row.executor = row.ended_at = row.cancel_asked_at = None
        row.message = ""
        session.flush()
    seen = Waiting(
        id=row.id,
        attempt=row.attempt,
        ask=Capacity(row.cpus, row.memory_mib),
        canceling=row.cancel_asked_at is not None,
    )
    if not seen.canceling:
        _check_alone(session, row)
    if (taken := _give(session, database, executor, seen)) is None:
        raise VmwrightError(f"Build {row.id} is running", hint=hint_while_it_runs(row.id))
    return taken


def claim_next(database: Database, executor: Executor, free: Capacity) -> Claim | None:
    """Take the build whose turn it is; None where there is none that this executor may take now.

    Cheap where there is nothing to take: two or three queries, which lock nothing.

    :param free: what of the executor's total is not granted to builds that it has.
    :raises LostBuildError: this executor itself has been declared dead.
    """
    workers = turns.abilities(living(database))
    with database.session() as session:
        if next_turn(session, executor, free, workers) == NOTHING:
            return None
    with database.session() as session:
        _enter(session, executor)
        turn = next_turn(session, executor, free, workers)
        if turn.holds:
            _change(session, turn.holds, held_by=executor.id)
        taken = _give(session, database, executor, turn.takes) if turn.takes else None
        if taken and turn.overtakes:
            _change(session, turn.overtakes, overtaken=BuildRow.overtaken + 1)
        return taken


def release(database: Database, held: Claim) -> None:
    """Hand a build over: it waits in the queue again, before those that nobody has begun.

    :raises LostBuildError: it is not this executor's any more.
    """
    with database.session() as session:
        guarded(session, held)
        row = session.get_one(BuildRow, held.build_id)
        row.executor = None
        if row.cancel_asked_at is None:
            row.run_sub_state = RunSubState.QUEUED


def guarded(session: Session, held: Claim) -> None:
    """Make sure of a build, at the beginning of each transaction that writes about it, until its end.

    It writes to the row: that keeps others off it in PostgreSQL and in SQLite alike.

    :raises LostBuildError: it is not this executor's any more: nothing of it may be touched.
    """
    mine = update(BuildRow).where(
        BuildRow.id == held.build_id,
        BuildRow.attempt == held.attempt,
        BuildRow.executor == held.executor_id,
    )
    same = mine.values(attempt=BuildRow.attempt).execution_options(synchronize_session=False)
    if session.scalars(same.returning(BuildRow.id)).one_or_none() is None:
        raise LostBuildError(
            f"Build {held.build_id} was taken from this process, which was not heard of for too long",
            hint="vmwright runs shows how it goes on",
        )


def ask_cancel(database: Database, build_id: str) -> CancelAnswer:
    """Ask for a build's cancel: it is Canceling until its executor has cleaned up (reference §6.4).

    A build that only waits is cancelled at once.
    """
    living(database)
    with database.session() as session:
        lock(session, QUEUE)
        row = session.get(BuildRow, build_id, with_for_update=True)
        if row is None or row.ended_at:
            return CancelAnswer.ENDED
        before, now = row.cancel_asked_at, database.now(session)
        row.cancel_asked_at, row.run_sub_state = before or now, None
        if row.executor is None and row.attempt == 0:
            row.run_state, row.message, row.ended_at = RunState.CANCELED, CANCELED_WAITING, now
            return CancelAnswer.CANCELED
        row.run_state, row.message = RunState.CANCELING, CANCELING
        if row.executor is None:
            return CancelAnswer.UNOWNED
        return CancelAnswer.ASKED_BEFORE if before else CancelAnswer.ASKED


def held_by(database: Database, executor_id: str) -> tuple[Claim, ...]:
    """Return the builds that an executor has by the database; those that are to be cancelled say so."""
    asked = select(BuildRow.id, BuildRow.attempt, BuildRow.cancel_asked_at).where(
        BuildRow.executor == executor_id, BuildRow.ended_at.is_(None)
    )
    with database.session() as session:
        return tuple(
            Claim(
                build_id=build_id,
                attempt=attempt,
                executor_id=executor_id,
                granted=Capacity(0, 0),
                canceling=cancel_asked_at is not None,
            )
            for build_id, attempt, cancel_asked_at in session.execute(asked)
        )


def waiting(database: Database) -> tuple[str, ...]:
    """Return the ids of the builds that wait in the queue, in about the order in which they will run."""
    with database.session() as session:
        return turns.order(session)


def _enter(session: Session, executor: Executor) -> None:
    """Keep others from taking builds, and from declaring this executor dead, until the transaction ends."""
    lock(session, QUEUE)
    me = select(ExecutorRow.id).where(ExecutorRow.id == executor.id).with_for_update()
    if session.scalars(me).one_or_none() is None:
        raise LostBuildError(
            "This process was not heard of for too long: it has been declared dead",
            hint="start it again; builds that it had can be resumed",
        )


def _check_alone(session: Session, row: BuildRow) -> None:
    """Make sure that nobody has another build of the same template."""
    others = (BuildRow.key == row.key, BuildRow.id != row.id)
    running = (BuildRow.executor.is_not(None), BuildRow.ended_at.is_(None))
    other = session.scalar(select(BuildRow.id).where(*others, *running).limit(1))
    if other is not None:
        raise VmwrightError(
            f"The template {row.name} is being built already: build {other}",
            hint=f"{hint_while_it_runs(other)}; `vmwright build --detach` lets a build wait for its turn, "
            "`--name` tells templates apart that only their files call the same",
        )


def _give(session: Session, database: Database, executor: Executor, seen: Waiting) -> Claim | None:
    """Give a build to an executor; None where it has ended or has been taken since it was seen."""
    goes_on = {} if seen.canceling else {"run_state": RunState.RUNNING, "run_sub_state": RunSubState.BUILDING}
    free = update(BuildRow).where(
        BuildRow.id == seen.id,
        BuildRow.attempt == seen.attempt,
        BuildRow.executor.is_(None),
        BuildRow.ended_at.is_(None),
    )
    taken = free.values(
        executor=executor.id,
        attempt=seen.attempt + 1,
        taken_at=database.now(session),
        held_by=None,
        overtaken=0,
        **goes_on,
    ).execution_options(synchronize_session=False)
    given = session.execute(taken.returning(BuildRow.correlation_id)).one_or_none()
    if given is None:
        return None
    return Claim(
        build_id=seen.id,
        attempt=seen.attempt + 1,
        executor_id=executor.id,
        granted=Capacity(0, 0) if seen.canceling else granted(seen.ask, executor.offer.total),
        canceling=seen.canceling,
        correlation_id=given.correlation_id or "",
    )


def _change(session: Session, build_id: str, **columns: object) -> None:
    change = update(BuildRow).where(BuildRow.id == build_id).values(**columns)
    session.execute(change.execution_options(synchronize_session=False))
