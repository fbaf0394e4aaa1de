"""Opening a build that this process has claimed: its request, folders and doors, as the attempt's own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from vmwright.builds import event_file, sharing
from vmwright.builds.attempt import Attempt
from vmwright.builds.build import Build
from vmwright.builds.interrupts import Interrupts
from vmwright.builds.layers import drop_unreachable
from vmwright.builds.log import FILE_NAME, VALIDATION
from vmwright.images import open_images
from vmwright.runs.queue import guarded
from vmwright.runs.records import BuildRecords
from vmwright.runs.secrets import secrets_of
from vmwright.runs.states import RunState, RunSubState
from vmwright.runs.stored_request import StoredRequest, restored
from vmwright.settings import MachineChoice
from vmwright.state.resources import Ledger
from vmwright.state.tables import BuildRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vmwright.events import Events
    from vmwright.machines.machine import MachineKind
    from vmwright.runs.queue import Claim
    from vmwright.runs.request import BuildRequest
    from vmwright.settings import Settings
    from vmwright.state.database import Database
    from vmwright.state.resources import Observer


async def open_attempt(
    claim: Claim,
    *,
    settings: Settings,
    database: Database,
    events: Events,
    observer: Observer | None,
    was_stopped: Callable[[], bool],
    machines: frozenset[MachineKind],
) -> Attempt:
    """Return the attempt, ready to run.

    :param observer: is told of what the attempt has on this host.
    :param was_stopped: see ``Interrupts``.
    :param machines: those that may run the build here.
    :raises LostBuildError: another executor has the build.
    :raises VmwrightError: its template cannot be read any more, or this host cannot keep its files.
    """
    kept, document, started_at = _taken(claim, database)
    request = _allowed(restored(kept, document), machines)
    for secret in (*secrets_of(request.template), *request.secrets):
        events.keep_secret(secret)
    root = settings.home / "builds" / claim.build_id
    build = Build(
        claim=claim,
        request=request,
        settings=settings,
        database=database,
        images=open_images(settings, database),
        ledger=Ledger(database, claim.build_id, observer=observer),
        records=BuildRecords(database, claim),
        events=events,
        interrupts=Interrupts(was_stopped),
        root=root,
        folder=root / str(claim.attempt),
        started_at=started_at,
    )
    build.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    await sharing.bring_logs(build)
    validation = (VALIDATION,) if request.template.in_vm_validations else ()
    for name in (FILE_NAME, *validation, event_file.FILE_NAME):
        build.records.log(name, root / name)
    deadline = build.records.begin(folder=root, timeout_seconds=request.template.timeout_seconds)
    behind = await drop_unreachable(build)
    again = None if behind is None else f"customize {behind + 1}"
    attempt = Attempt(build, deadline=deadline, again_from=kept.again_from or again)
    if claim.canceling:
        attempt.cancel()
    return attempt


def _taken(claim: Claim, database: Database) -> tuple[StoredRequest, dict[str, Any], datetime]:
    """Return what was asked for, the template as people see it, and when; the build is under way then."""
    with database.session() as session:
        guarded(session, claim)
        row = session.get_one(BuildRow, claim.build_id)
        kept = StoredRequest.model_validate(row.request)
        row.request = kept.model_copy(update={"again_from": None}).model_dump(mode="json")
        if not claim.canceling:
            row.run_state, row.run_sub_state = RunState.RUNNING, RunSubState.BUILDING
        return kept, row.template, row.started_at


def _allowed(request: BuildRequest, machines: frozenset[MachineKind]) -> BuildRequest:
    """Return the request with the one machine that may run it, where it leaves the choice."""
    if request.machine is MachineChoice.AUTO and len(machines) == 1:
        return dataclasses.replace(request, machine=MachineChoice(*machines))
    return request
