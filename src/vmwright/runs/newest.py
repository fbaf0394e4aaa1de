"""The builds of the service's templates: the newest of each, and what they have made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import func, select

from vmwright.runs.records import outputs_of
from vmwright.runs.states import RunState, RunSubState
from vmwright.state.tables import BuildRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from vmwright.distributors.distributor import RunOutput
    from vmwright.state.database import Database

COLUMNS = (
    BuildRow.key,
    BuildRow.id,
    BuildRow.run_state,
    BuildRow.run_sub_state,
    BuildRow.message,
    BuildRow.started_at,
    BuildRow.ended_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestRun:
    """How it goes with a build; ``started_at`` is when it was asked for."""

    build_id: str
    state: RunState
    sub_state: RunSubState | None
    message: str
    started_at: datetime
    ended_at: datetime | None


def find_build(database: Database, build_id: str) -> NewestRun | None:
    """Return a build by its id, None where there is none."""
    return next(iter(_found(database, BuildRow.id == build_id).values()), None)


def newest_run(database: Database, template_id: str, *, since: datetime) -> NewestRun | None:
    """Return the newest build of a template, None where there is none.

    :param since: when the template was made: builds of an earlier one of its id do not count.
    """
    found = _found(database, BuildRow.key == template_id.lower(), BuildRow.started_at >= since)
    return found.get(template_id.lower())


def last_ended(database: Database, template_id: str, *, since: datetime, most: int) -> list[NewestRun]:
    """Return the builds of a template that have ended and were not cancelled, the newest first.

    :param since: as in ``newest_run``; ``most`` so many of them.
    """
    asked = (
        select(*COLUMNS)
        .where(BuildRow.key == template_id.lower(), BuildRow.started_at >= since)
        .where(BuildRow.ended_at.is_not(None), BuildRow.run_state != RunState.CANCELED)
        .order_by(BuildRow.started_at.desc())
        .limit(most)
    )
    with database.session() as session:
        return [_run(cast("Row[Any]", row)) for row in session.execute(asked)]


def newest_runs(database: Database, template_ids: Iterable[str]) -> dict[str, NewestRun]:
    """Return the newest build of each of these templates that has one, by the template's id in lower case."""
    return _found(database, BuildRow.key.in_([one.lower() for one in template_ids]))


def templates_of(database: Database, builds: Iterable[str]) -> dict[str, str]:
    """Return the ids of the templates that builds are of, by the builds' ids; builds by command have none."""
    asked = select(BuildRow.id, BuildRow.template_id).where(
        BuildRow.id.in_(list(builds)), BuildRow.template_id.is_not(None)
    )
    with database.session() as session:
        return {build: template for build, template in session.execute(asked) if template}


def run_outputs(database: Database, template_id: str, *, since: datetime) -> dict[str, RunOutput]:
    """Return what a template's builds have made, by name in lower case: of each the newest there is."""
    mine = (BuildRow.key == template_id.lower(), BuildRow.started_at >= since)
    made: dict[str, RunOutput] = {}
    with database.session() as session:
        for build_id in session.scalars(select(BuildRow.id).where(*mine).order_by(BuildRow.started_at)):
            made |= {
                output.name.lower(): output for output in outputs_of(session, build_id) if output.artifact
            }
    return made


def _found(database: Database, *conditions: ColumnElement[bool]) -> dict[str, NewestRun]:
    nth = func.row_number().over(partition_by=BuildRow.key, order_by=BuildRow.started_at.desc())
    ranked = select(*COLUMNS, nth.label("nth")).where(*conditions).subquery()
    with database.session() as session:
        rows = session.execute(select(ranked).where(ranked.c.nth == 1)).all()
    return {row.key: _run(row) for row in rows}


def _run(row: Row[Any]) -> NewestRun:
    return NewestRun(
        build_id=row.id,
        state=RunState(row.run_state),
        sub_state=RunSubState(row.run_sub_state) if row.run_sub_state else None,
        message=row.message,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
