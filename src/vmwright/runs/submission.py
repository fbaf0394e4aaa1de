"""Submitting a build: its row, and the template's, before anything of it is made."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.runs.capacity import architecture, asked
from vmwright.runs.queue import take, taking
from vmwright.runs.secrets import shown
from vmwright.runs.states import RunState, RunSubState
from vmwright.runs.stored_request import stored
from vmwright.state.database import lock
from vmwright.state.tables import BuildRow, TemplateRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vmwright.runs.executors import Executor
    from vmwright.runs.queue import Claim
    from vmwright.runs.request import BuildRequest
    from vmwright.state.database import Database


def submit(request: BuildRequest, database: Database, *, priority: int = 0) -> str:
    """Put a build into the queue, for workers to take, and return its id (a UUID).

    :param priority: builds with a higher one are taken first.
    """
    with database.session() as session:
        return _record(session, request, queued=True, priority=priority).id


def submit_alone(request: BuildRequest, database: Database, *, correlation_id: str = "") -> str | None:
    """Put a build into the queue and return its id; None where one of the template has not ended.

    :param correlation_id: of the service's request that asks for it.
    """
    with database.session() as session:
        _lock_template(session, request)
        mine = (BuildRow.key == request.key, BuildRow.ended_at.is_(None))
        if session.scalar(select(BuildRow.id).where(*mine).limit(1)) is not None:
            return None
        return _record(session, request, queued=True, correlation_id=correlation_id).id


def record_refused(
    request: BuildRequest, database: Database, message: str, *, correlation_id: str = ""
) -> str:
    """Record a build that has failed before anything of it began, and return its id.

    :param message: why, for people.
    :param correlation_id: of the service's request that asks for it.
    """
    with database.session() as session:
        row = _record(session, request, queued=False, correlation_id=correlation_id)
        row.run_state, row.run_sub_state = RunState.FAILED, None
        row.message, row.ended_at = message, row.started_at
        return row.id


def begin(request: BuildRequest, database: Database, executor: Executor) -> Claim:
    """Record a build that never waits, and take it at once.

    :raises LostBuildError: this executor itself has been declared dead.
    :raises VmwrightError: another build of the template runs.
    """
    with taking(database, executor) as session:
        return take(session, database, _record(session, request, queued=False), executor)


def _record(
    session: Session, request: BuildRequest, *, queued: bool, priority: int = 0, correlation_id: str = ""
) -> BuildRow:
    needs = asked(request.template.vm_profile.vm_size)
    row = BuildRow(
        id=str(uuid.uuid4()),
        name=request.name,
        template_id=request.template_id,
        template=shown(request.template, request.secrets),
        request=stored(request),
        run_state=RunState.RUNNING,
        run_sub_state=RunSubState.QUEUED if queued else RunSubState.BUILDING,
        folder="",
        message="",
        queued=queued,
        priority=priority,
        machine_wish=request.machine,
        architecture=architecture(),
        cpus=needs.cpus,
        memory_mib=needs.memory_mib,
        attempt=0,
        correlation_id=correlation_id or None,
        started_at=datetime.now(UTC),
    )
    if request.template_id is None:
        _keep_template(session, request)
    session.add(row)
    session.flush()
    return row


def _keep_template(session: Session, request: BuildRequest) -> None:
    now = datetime.now(UTC)
    _lock_template(session, request)
    row = session.get(TemplateRow, request.key)
    if row is None:
        row = TemplateRow(key=request.key, created_at=now)
        session.add(row)
    row.name, row.api_version = request.name, request.template.api_version
    row.document, row.updated_at = shown(request.template, request.secrets), now


def _lock_template(session: Session, request: BuildRequest) -> None:
    lock(session, f"template {request.key}")
