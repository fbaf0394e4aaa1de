"""Builds in figures, for operators: how many, how long they wait, how long they take."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, cast, extract, func, select

from vmwright.state.tables import BuildRow, ExecutorRow, StepRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import SQLCoreOperations

    from vmwright.state.database import Database

# Seconds: from a step that only writes a file to the longest build that a template may ask for.
BOUNDS = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 57600)
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How long things took: how many of them at most as long as each of ``BOUNDS``, in seconds."""

    count: int
    seconds: float
    within: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFigures:
    """All builds that are recorded, by their states.

    :param builds: by run state and sub-state ("" without one).
    :param oldest_waiting: seconds since the oldest of the ``waiting`` builds was asked for.
    :param took: by run state, from when it was taken last to its end.
    :param waited: from when it was asked for until somebody took it, of those that were taken once.
    :param steps: by kind and state.
    :param executors: that are registered, by kind and state.
    """

    builds: Mapping[Labels, int]
    waiting: int
    oldest_waiting: float
    took: Mapping[Labels, Distribution]
    waited: Mapping[Labels, Distribution]
    steps: Mapping[Labels, Distribution]
    executors: Mapping[Labels, int]


def figures(database: Database) -> BuildFigures:
    """Count what is recorded.

    :raises VmwrightError: the database cannot be read.
    """
    with database.session() as session:
        waiting, oldest = session.execute(
            select(func.count(), func.min(BuildRow.started_at)).where(
                BuildRow.ended_at.is_(None), BuildRow.executor.is_(None), BuildRow.queued.is_(True)
            )
        ).one()
        age = (database.now(session) - oldest).total_seconds() if oldest else 0.0
        return BuildFigures(
            builds=_counted(session, BuildRow.run_state, BuildRow.run_sub_state),
            waiting=waiting,
            oldest_waiting=max(age, 0.0),
            took=_distributions(
                session,
                _between(BuildRow.taken_at, BuildRow.ended_at),
                (BuildRow.run_state,),
                BuildRow.ended_at.is_not(None),
                BuildRow.taken_at.is_not(None),
            ),
            waited=_distributions(
                session,
                _between(BuildRow.started_at, BuildRow.taken_at),
                (),
                BuildRow.taken_at.is_not(None),
                BuildRow.attempt == 1,
            ),
            steps=_distributions(
                session,
                _between(StepRow.started_at, StepRow.ended_at),
                (StepRow.kind, StepRow.state),
                StepRow.ended_at.is_not(None),
            ),
            executors=_counted(session, ExecutorRow.kind, ExecutorRow.state),
        )


def _between(begin: SQLCoreOperations[Any], end: SQLCoreOperations[Any]) -> ColumnElement[int]:
    """Return whole seconds."""
    return cast(extract("epoch", end) - extract("epoch", begin), Integer)


def _counted(session: Session, *labels: SQLCoreOperations[Any]) -> dict[Labels, int]:
    found = session.execute(select(*labels, func.count()).group_by(*labels))
    return {tuple(label or "" for label in row[:-1]): row[-1] for row in found}


def _distributions(
    session: Session,
    seconds: ColumnElement[int],
    labels: tuple[SQLCoreOperations[Any], ...],
    *conditions: ColumnElement[bool],
) -> dict[Labels, Distribution]:
    """Sort what took so many seconds into ``BOUNDS``."""
    asked = select(*labels, seconds, func.count()).where(*conditions).group_by(*labels, seconds)
    found: dict[Labels, Counter[int]] = defaultdict(Counter)
    for *label, took, count in session.execute(asked):
        found[tuple(label)][took] = count
    return {label: _distribution(counts) for label, counts in found.items()}


def _distribution(counts: Counter[int]) -> Distribution:
    within = (sum(count for took, count in counts.items() if took <= bound) for bound in BOUNDS)
    seconds = sum(took * count for took, count in counts.items())
    return Distribution(count=counts.total(), seconds=seconds, within=tuple(within))
