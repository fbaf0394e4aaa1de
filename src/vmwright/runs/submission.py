"""Submitting a build: its row, and the template's, before anything of it is made."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from vmwright.errors import VmwrightError
from vmwright.runs.capacity import architecture, asked
from vmwright.runs.going_on import hint_while_it_runs
from vmwright.runs.queue import QUEUE
from vmwright.runs.secrets import shown
from vmwright.runs.states import RunState, RunSubState
from vmwright.runs.stored_request import stored
from vmwright.state.database import lock
from vmwright.state.tables import BuildRow, TemplateRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vmwright.runs.request import BuildRequest
    from vmwright.state.database import Database


def submit(
    request: BuildRequest, database: Database, *, queued: bool, priority: int = 0, alone: bool = False
) -> str:
    """Record a build and return its id (a UUID).

    :param queued: whether workers may take it; else the process that submits it does.
    :param priority: builds with a higher one are taken first.
    :param alone: refuse it while another build of the template runs; one of the queue waits for that anyway.
    :raises VmwrightError: another one runs.
    """
    build_id = str(uuid.uuid4())
    needs = asked(request.template.vm_profile.vm_size)
    with database.session() as session:
        if alone:
            lock(session, QUEUE)
            check_alone(session, request.name)
        _keep_template(session, request)
        session.add(
            BuildRow(
                id=build_id,
                name=request.name,
                key=request.name.casefold(),
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
        )
    return build_id


def check_alone(session: Session, name: str) -> None:
    """Make sure that no build of a template runs.

    :raises VmwrightError: one does.
    """
    taken = or_(BuildRow.executor.is_not(None), BuildRow.queued.is_(False))
    asked_for = select(BuildRow).where(BuildRow.key == name.lower(), BuildRow.ended_at.is_(None), taken)
    if (other := session.scalars(asked_for.limit(1)).one_or_none()) is None:
        return
    raise VmwrightError(
        f"The template {name} is being built already: build {other.id}",
        hint=f"{hint_while_it_runs(other.id)}; `--detach` lets a build wait for its turn; `--name` tells "
        "templates apart that only their files call the same",
    )


def _keep_template(session: Session, request: BuildRequest) -> None:
    now = datetime.now(UTC)
    lock(session, f"template {request.name.casefold()}")
    row = session.get(TemplateRow, request.name.casefold())
    if row is None:
        row = TemplateRow(key=request.name.casefold(), created_at=now)
        session.add(row)
    row.name, row.api_version = request.name, request.template.api_version
    row.document, row.updated_at = shown(request.template, request.secrets), now
