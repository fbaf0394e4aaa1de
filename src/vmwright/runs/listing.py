"""Builds as people see them: listed, found by what is remembered of an id, ended where nobody runs them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import defer

from vmwright.errors import VmwrightError
from vmwright.runs.executors import living
from vmwright.runs.going_on import hint_to_go_on
from vmwright.runs.hints import SHORT
from vmwright.runs.queue import QUEUE, waiting
from vmwright.runs.records import all_outputs, outputs_of
from vmwright.runs.states import RunState
from vmwright.state.database import lock
from vmwright.state.tables import BuildRow, ExecutorRow, LayerRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmwright.distributors.distributor import RunOutput
    from vmwright.state.database import Database

# Go's zero time, which the service shows while a run has not ended (reference §6.2).
NO_TIME = "0001-01-01T00:00:00Z"
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One build, as ``vmwright runs`` shows it.

    :param attempt: how often somebody has begun, or gone on, with it.
    :param host: the name of the host that has it now.
    :param place: in the queue, from 1: about the order in which the waiting ones will run.
    :param template_id: the resource id of the service's template that it is of.
    :param from_cache: the steps that it did not run, with the builds that had (``BuildRow.from_cache``).
    :param correlation_id: of the service's request that asked for it.
    """

    id: str
    name: str
    run_state: RunState
    run_sub_state: str | None
    machine: str | None
    accelerator: str | None
    source: str | None
    folder: str
    message: str
    attempt: int
    host: str | None
    place: int | None
    priority: int
    started_at: datetime
    ended_at: datetime | None
    template_id: str | None = None
    correlation_id: str | None = None
    outputs: tuple[RunOutput, ...] = ()
    from_cache: tuple[dict[str, Any], ...] = ()

    def as_document(self) -> dict[str, object]:
        """Return the run as JSON; ``lastRunStatus`` and run outputs have the service's shape."""
        status: dict[str, object] = {
            "startTime": self.started_at.isoformat(),
            "endTime": self.ended_at.isoformat() if self.ended_at else NO_TIME,
            "runState": self.run_state,
            "message": self.message,
        }
        if self.run_sub_state:
            status["runSubState"] = self.run_sub_state
        return {
            "id": self.id,
            "name": self.name,
            "lastRunStatus": status,
            "machine": self.machine,
            "accelerator": self.accelerator,
            "source": self.source,
            "folder": self.folder,
            "attempt": self.attempt,
            "host": self.host,
            "place": self.place,
            "priority": self.priority,
            "templateId": self.template_id,
            "correlationId": self.correlation_id,
            "fromCache": list(self.from_cache),
            "runOutputs": [output.as_document() for output in self.outputs],
        }


def runs(database: Database) -> list[RunRecord]:
    """Return all builds, the newest first; those that nobody runs, or will, have failed."""
    end_interrupted(database)
    hosts = _hosts(database)
    places = {build_id: place for place, build_id in enumerate(waiting(database), start=1)}
    with database.session() as session:
        rows = session.scalars(select(BuildRow).order_by(BuildRow.started_at.desc())).all()
        outputs = all_outputs(session)
        return [_record(row, outputs.get(row.id, ()), hosts, place=places.get(row.id)) for row in rows]


def some_runs(database: Database, *, most: int, after: str = "", like: str = "") -> list[RunRecord]:
    """Return builds, the newest first, as they are recorded; their places in the queue are left out.

    :param after: the id of a build: those that come after it only.
    :param like: the beginning of an id, or a name: those that it may mean only.
    """
    # the documents of a build are big
    columns = select(BuildRow).options(defer(BuildRow.template), defer(BuildRow.request))
    asked = columns.order_by(BuildRow.started_at.desc(), BuildRow.id.desc()).limit(most)
    if after:
        last = select(BuildRow.started_at).where(BuildRow.id == after).scalar_subquery()
        same = and_(BuildRow.started_at == last, BuildRow.id < after)
        asked = asked.where(or_(BuildRow.started_at < last, same))
    if like:
        by_id = BuildRow.id.startswith(like.lower(), autoescape=True)
        asked = asked.where(or_(by_id, func.lower(BuildRow.name) == like.lower()))
    hosts = _hosts(database)
    with database.session() as session:
        rows = session.scalars(asked).all()
        outputs = all_outputs(session, [row.id for row in rows])
        return [_record(row, outputs.get(row.id, ()), hosts) for row in rows]


def run_of(database: Database, build_id: str) -> RunRecord | None:
    """Return the build of an id, as it is recorded; None where there is none."""
    hosts = _hosts(database)
    with database.session() as session:
        row = session.get(BuildRow, build_id)
        return None if row is None else _record(row, outputs_of(session, build_id), hosts)


def get_run(database: Database, build_id: str) -> RunRecord:
    """Return the build of an id, as it is recorded."""
    hosts = _hosts(database)
    with database.session() as session:
        return _record(session.get_one(BuildRow, build_id), outputs_of(session, build_id), hosts)


def find_run(database: Database, name: str, *, running: bool = False) -> RunRecord:
    """Return the build whose id begins with ``name``, or else the newest of that name, as it is recorded.

    :param running: of those of that name, rather the newest that has not ended.
    :raises VmwrightError: there is none, or the beginning fits several.
    """
    by_id = BuildRow.id.startswith(name.lower(), autoescape=True)
    newest = BuildRow.started_at.desc()
    with database.session() as session:
        ids = session.scalars(select(BuildRow.id).where(by_id).order_by(newest)).all() if name else ()
        named = session.scalar(
            select(BuildRow.id)
            .where(func.lower(BuildRow.name) == name.lower())
            .order_by(*([BuildRow.ended_at.is_not(None)] if running else []), newest)
            .limit(1)
        )
    return get_run(database, chosen(name, ids, named))


def chosen(name: str, ids: Sequence[str], named: str | None) -> str:
    """Return the id of the build that somebody means.

    :param ids: those that begin with ``name``; ``named`` is that of the build which is called so.
    :raises VmwrightError: there is none, or the beginning fits several.
    """
    if len(ids) > 1 and named is None:
        shown = ", ".join(one[: SHORT + len(name)] for one in ids[:SHOWN])
        raise VmwrightError(
            f"{len(ids)} builds have an id that begins with {name}: {shown}", hint="give more of the id"
        )
    found = ids[0] if len(ids) == 1 else named
    if found is None:
        raise VmwrightError(f"There is no build {name}", hint="vmwright runs lists them")
    return found


def unfinished(database: Database) -> frozenset[str]:
    """Return the ids of the builds that have not ended, or of which enough is kept to go on with them."""
    layers = select(LayerRow).where(LayerRow.build_id == BuildRow.id).exists()
    with database.session() as session:
        return frozenset(session.scalars(select(BuildRow.id).where(or_(BuildRow.ended_at.is_(None), layers))))


def end_interrupted(database: Database) -> None:
    """Record builds that somebody began outside the queue, and whose process is gone, as failed."""
    living(database)  # takes the builds of those that are not from them
    interrupted = (BuildRow.ended_at.is_(None), BuildRow.executor.is_(None), BuildRow.queued.is_(False))
    with database.session() as session:
        if session.scalar(select(BuildRow.id).where(*interrupted).limit(1)) is None:
            return
    with database.session() as session:
        lock(session, QUEUE)
        for row in session.scalars(select(BuildRow).where(*interrupted)):
            canceled = row.cancel_asked_at is not None
            row.run_state, row.run_sub_state = RunState.CANCELED if canceled else RunState.FAILED, None
            way_on = hint_to_go_on(session, row)
            row.message = f"The build was interrupted: its process is gone. {way_on or ''}".strip()
            row.ended_at = datetime.now(UTC)


def _hosts(database: Database) -> dict[str, str]:
    """Return the hosts of the executors, those that are not known to live among them."""
    with database.session() as session:
        return {row.id: row.host_name for row in session.scalars(select(ExecutorRow))}


def _record(
    row: BuildRow, outputs: tuple[RunOutput, ...], hosts: dict[str, str], *, place: int | None = None
) -> RunRecord:
    return RunRecord(
        id=row.id,
        name=row.name,
        run_state=RunState(row.run_state),
        run_sub_state=row.run_sub_state,
        machine=row.machine,
        accelerator=row.accelerator,
        source=row.source,
        folder=row.folder,
        message=row.message,
        attempt=row.attempt,
        host=hosts.get(row.executor or ""),
        place=place,
        priority=row.priority,
        started_at=row.started_at,
        ended_at=row.ended_at,
        template_id=row.template_id,
        correlation_id=row.correlation_id,
        outputs=outputs,
        from_cache=tuple(row.from_cache or ()),
    )
