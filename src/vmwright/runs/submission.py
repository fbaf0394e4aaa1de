"""Submitting a build: its row, and the template's, before anything of it is made."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

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


def begin(request: BuildRequest, database: Database, executor: Executor) -> Claim:
    """Record a build that never waits, and take it at once.

    :raises LostBuildError: this executor itself has been declared dead.
    :raises VmwrightError: another build of the template runs.
    """
    with taking(database, executor) as session:
        return take(session, database, _record(session, request, queued=False), executor)


def _record(session: Session, request: BuildRequest, *, queued: bool, priority: int = 0) -> BuildRow:
    needs = asked(request.template.vm_profile.vm_size)
    row = BuildRow(
        id=str(uuid.uuid4()),
        name=request.name,
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
        started_at=datetime.now(UTC),
    )
    _keep_template(session, request)
    session.add(row)
    session.flush()
    return row


def _keep_template(session: Session, request: BuildRequest) -> None:
    now = datetime.now(UTC)
    lock(session, f"template {request.name.lower()}")
    row = session.get(TemplateRow, request.name.lower())
    if row is None:
        row = TemplateRow(key=request.name.lower(), created_at=now)
        session.add(row)
    row.name, row.api_version = request.name, request.template.api_version
    row.document, row.updated_at = shown(request.template, request.secrets), now
