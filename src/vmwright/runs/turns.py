"""Whose turn it is: the order of the waiting builds, as an executor sees it. ``queue.py`` says the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, false, func, not_, or_, select, true
from sqlalchemy.orm import aliased

from vmwright.machines.sizes import Capacity
from vmwright.runs.executors import ExecutorKind, ExecutorState
from vmwright.settings import MachineChoice
from vmwright.state.tables import BuildRow, ExecutorRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Select, UnaryExpression
    from sqlalchemy.orm import Session

    from vmwright.runs.executors import Executor

# How many builds may go before one that is first in order, but too big for what is free.
MOST_OVERTAKEN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A build that waits, as it was seen."""

    id: str
    attempt: int
    ask: Capacity
    canceling: bool
    fits: bool = False
    overtaken: int = 0
    held_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What an executor does: it ``takes`` a build, which ``overtakes`` another, or ``holds`` room for one."""

    takes: Waiting | None = None
    overtakes: str | None = None
    holds: str | None = None


NOTHING = Turn()


@dataclass(frozen=True, slots=True)
class Ability:
    """What of an executor decides which builds it can run; many have the same."""

    machines: frozenset[str]
    architecture: str
    kvm: bool
    total: Capacity

    def can_run(self) -> ColumnElement[bool]:
        """Return whether it has what a build needs, its size apart."""
        return and_(
            BuildRow.architecture.in_(("", self.architecture)),
            BuildRow.machine_wish.in_(sorted({MachineChoice.AUTO, *self.machines})),
            true() if self.kvm else BuildRow.needs_kvm.is_(False),
        )

    def holds_whole(self) -> ColumnElement[bool]:
        """Return whether it has all that a build asks for."""
        return and_(BuildRow.cpus <= self.total.cpus, BuildRow.memory_mib <= self.total.memory_mib)

    def is_bigger_than(self, other: Ability) -> bool:
        """Return whether it has more of one thing and no less of the other."""
        mine, theirs = self.total, other.total
        return mine != theirs and mine.cpus >= theirs.cpus and mine.memory_mib >= theirs.memory_mib


def abilities(rows: Iterable[ExecutorRow]) -> set[Ability]:
    """Return what the workers among ``rows`` that take builds on can run."""
    return {
        Ability(frozenset(row.machines), row.architecture, row.kvm, Capacity(row.cpus, row.memory_mib))
        for row in rows
        if row.kind == ExecutorKind.WORKER and row.state == ExecutorState.ACTIVE
    }


def next_turn(session: Session, executor: Executor, free: Capacity, workers: set[Ability]) -> Turn:
    """Return what is to be done by an executor.

    :param free: what of the executor is not granted to builds.
    :param workers: the abilities of all living workers.
    """
    first = _first(session, executor, free, workers, whole=True)
    if first is None or first.canceling or first.fits:
        return Turn(takes=first)
    if first.overtaken >= MOST_OVERTAKEN:
        return NOTHING if first.held_by == executor.id else Turn(holds=first.id)
    smaller = _first(session, executor, free, workers, whole=False)
    return Turn(takes=smaller, overtakes=first.id) if smaller else NOTHING


def order(session: Session) -> tuple[str, ...]:
    """Return the ids of the waiting builds in about the order in which they will run (sizes apart)."""
    age = (BuildRow.started_at, BuildRow.id)
    nth = func.row_number().over(partition_by=BuildRow.key, order_by=(*_ranks(), *age))
    found = select(BuildRow.id).where(*_waits()).order_by(*_ranks(), nth, _last_turn(), *age)
    return tuple(session.scalars(found))


def _first(
    session: Session, executor: Executor, free: Capacity, workers: set[Ability], *, whole: bool
) -> Waiting | None:
    """Return the first build in order, of those that fit what is free or, with ``whole``, all there is."""
    total = executor.offer.total
    fits = and_(
        BuildRow.cpus <= free.cpus if free.cpus < total.cpus else true(),
        BuildRow.memory_mib <= free.memory_mib if free.memory_mib < total.memory_mib else true(),
    )
    canceling = BuildRow.cancel_asked_at.is_not(None)
    runs_here = and_(_runs_here(executor, workers), _room_is_ours(executor, fits) if whole else fits)
    row = session.execute(
        select(
            BuildRow.id,
            BuildRow.attempt,
            BuildRow.cpus,
            BuildRow.memory_mib,
            case((canceling, 1), else_=0).label("canceling"),
            case((fits, 1), else_=0).label("fits"),
            BuildRow.overtaken,
            BuildRow.held_by,
        )
        .where(*_waits(), BuildRow.key.not_in(_running()), or_(canceling, runs_here))
        .order_by(*_ranks(), _last_turn(), BuildRow.started_at, BuildRow.id)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Waiting(
        id=row.id,
        attempt=row.attempt,
        ask=Capacity(row.cpus, row.memory_mib),
        canceling=bool(row.canceling),
        fits=bool(row.fits),
        overtaken=row.overtaken,
        held_by=row.held_by,
    )


def _ranks() -> tuple[UnaryExpression[bool], UnaryExpression[bool], UnaryExpression[int]]:
    return (
        BuildRow.cancel_asked_at.is_not(None).desc(),
        (BuildRow.attempt > 0).desc(),
        BuildRow.priority.desc(),
    )


def _waits() -> tuple[ColumnElement[bool], ...]:
    return BuildRow.ended_at.is_(None), BuildRow.executor.is_(None), BuildRow.queued.is_(True)


def _running() -> Select[str]:
    """Return the keys of the templates of which a build runs, in the queue or outside it."""
    running = aliased(BuildRow)
    executors = select(ExecutorRow.id)
    return select(running.key).where(running.executor.in_(executors), running.ended_at.is_(None))


def _last_turn() -> ColumnElement[object]:
    """Return when the last build of a template was begun, or this one was submitted where there was none.

    Templates that are new all the time do so not keep those off that have been built before.
    """
    earlier = aliased(BuildRow)
    last = select(func.max(earlier.taken_at)).where(earlier.key == BuildRow.key).scalar_subquery()
    return func.coalesce(last, BuildRow.started_at)


def _runs_here(executor: Executor, workers: set[Ability]) -> ColumnElement[bool]:
    """Return whether a build can run at an executor.

    One that asks for more than there is gets all of it, as everywhere in vmwright, but only where no other
    worker that could run it has enough, or is bigger.
    """
    offer = executor.offer
    here = Ability(frozenset(offer.machines), offer.architecture, offer.kvm, offer.total)
    better = [
        and_(other.can_run(), true() if other.is_bigger_than(here) else other.holds_whole())
        for other in workers - {here}
    ]
    return and_(here.can_run(), or_(here.holds_whole(), not_(or_(false(), *better))))


def _room_is_ours(executor: Executor, fits: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether a build is not one for which another executor makes room already."""
    active = select(ExecutorRow.id).where(ExecutorRow.state == ExecutorState.ACTIVE)
    return or_(
        fits, BuildRow.held_by.is_(None), BuildRow.held_by == executor.id, BuildRow.held_by.not_in(active)
    )
