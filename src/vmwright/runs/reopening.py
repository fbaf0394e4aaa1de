"""Going on with a build that has ended, or that nobody runs any more: from its last step, or from another."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from vmwright.errors import UnsupportedError, VmwrightError
from vmwright.runs.going_on import SHORT, hint_while_it_runs, newest_layer
from vmwright.runs.queue import claim, guarded
from vmwright.runs.secrets import shown
from vmwright.runs.states import RunState
from vmwright.runs.stored_request import StoredRequest, restored, stored
from vmwright.runs.submission import check_alone
from vmwright.state.host import host_id
from vmwright.state.tables import BuildRow, InputRow, LayerRow, RunOutputRow, VersionRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vmwright.runs.executors import Executor
    from vmwright.runs.listing import RunRecord
    from vmwright.runs.queue import Claim
    from vmwright.runs.request import BuildRequest
    from vmwright.state.database import Database
    from vmwright.template import Template
    from vmwright.template.model import Customizer


def requested(database: Database, build_id: str) -> BuildRequest:
    """Return what a build was asked to be.

    :raises VmwrightError: an earlier version of vmwright made it, or this one does not read its template.
    """
    with database.session() as session:
        row = session.get_one(BuildRow, build_id)
        if not row.request:
            raise VmwrightError(
                f"Build {build_id} is of an earlier version of vmwright, which did not keep what it takes "
                "to go on with it",
                hint="build its template anew",
            )
        return restored(StoredRequest.model_validate(row.request), row.template)


def last_step(database: Database, build_id: str) -> int:
    """Return the last step that the newest layer of a build has behind it; 0: there is none."""
    with database.session() as session:
        newest = newest_layer(session, build_id)
        return newest.step if newest else 0


def resume(
    database: Database,
    run: RunRecord,
    executor: Executor,
    *,
    from_step: int | None = None,
    template: Template | None = None,
    secrets: tuple[str, ...] = (),
) -> Claim:
    """Take a build and have it go on behind its newest layer.

    :param from_step: have it go on from this step, and do it and the later ones again.
    :param template: what the steps to come are taken from; ``secrets`` are values of it that no log may have.
    :raises VmwrightError: somebody runs it, it has succeeded, a step before ``from_step`` is missing, or
        ``template`` differs in what is done already.
    """
    done = last_step(database, run.id)
    request = requested(database, run.id)
    begin = from_step if from_step is not None else done + 1
    _check_step(begin, done, request, run)
    if run.run_state is RunState.SUCCEEDED and from_step is None:
        raise VmwrightError(f"Build {run.id} has succeeded: there is nothing to go on with")
    if template is not None:
        _check_same(request.template, template, before=begin)
    claimed = _taken(database, run, executor)
    with database.session() as session:
        guarded(session, claimed)
        row = session.get_one(BuildRow, run.id)
        if template is not None:
            known = dict.fromkeys((*request.secrets, *secrets))
            request = dataclasses.replace(request, template=template, secrets=tuple(known))
            row.template = shown(template, request.secrets)
        row.request = stored(request, again_from="fetch")
        row.deadline = None
        if begin <= done:
            _forget_from(session, run.id, begin)
        session.execute(delete(InputRow).where(InputRow.build_id == run.id, InputRow.number >= begin))
    return claimed


def redistribute(database: Database, run: RunRecord, executor: Executor) -> Claim:
    """Take a build whose image is finished and have its failed distributors tried again.

    :raises VmwrightError: somebody runs it, nothing of it has failed, or its image is not there any more.
    """
    request = requested(database, run.id)
    done = {output.name for output in run.outputs if not output.error}
    failed = [name for name in request.output_names if name not in done]
    if run.run_state is RunState.SUCCEEDED or not failed:
        raise VmwrightError(f"Build {run.id} has distributed all there was to: nothing has failed")
    if last_step(database, run.id) <= len(request.template.customize):
        raise UnsupportedError(
            f"The image of build {run.id} is not finished, or not kept any longer",
            hint=f"`vmwright resume {run.id[:SHORT]}` goes on with the build",
        )
    claimed = _taken(database, run, executor)
    with database.session() as session:
        guarded(session, claimed)
        row = session.get_one(BuildRow, run.id)
        row.request = stored(request, again_from=f"distribute {failed[0]}")
        row.deadline = None
    return claimed


def _taken(database: Database, run: RunRecord, executor: Executor) -> Claim:
    if run.ended_at is not None:
        with database.session() as session:
            check_alone(session, run.name)
    claimed = claim(database, run.id, executor, reopen=True)
    if claimed is None:
        raise VmwrightError(f"Build {run.id} is running", hint=hint_while_it_runs(run.id))
    return claimed


def _check_step(begin: int, done: int, request: BuildRequest, run: RunRecord) -> None:
    count = len(request.template.customize)
    if not 1 <= begin <= max(count, done) + 1:
        raise VmwrightError(f"There is no step {begin}", hint=f"the build has steps 1 to {count}")
    if begin > done + 1:
        short = run.id[:SHORT]
        newest = f"the newest that is kept is the one after step {done}" if done else "none is kept"
        raise VmwrightError(
            f"The disk after step {begin - 1} is not there: {newest}",
            hint=f"`vmwright resume {short}` goes on from step {done + 1}; [keep] in vmwright.toml says how "
            "long disks are kept",
        )


def _check_same(old: Template, new: Template, *, before: int) -> None:
    if new.source != old.source:
        raise VmwrightError("The template has another source now", hint="build it anew")
    if new.vm_profile.os_disk_size_gb != old.vm_profile.os_disk_size_gb:
        raise VmwrightError("The template has another osDiskSizeGB now", hint="build it anew")
    for number in range(1, before):
        if _said(new, number) != _said(old, number):
            raise VmwrightError(
                f"Step {number} differs from the one that was run",
                hint=f"add --from {number} to run it again",
            )


def _said(template: Template, number: int) -> tuple[Customizer, ...]:
    """Return what a template says of a step, wherever in its file; nothing where it has no such step."""
    return tuple(dataclasses.replace(step, path="") for step in template.customize[number - 1 : number])


def _forget_from(session: Session, build_id: str, step: int) -> None:
    """Forget what the build has from a step on; what it has distributed stays, but is no output of it."""
    of_build = LayerRow.build_id == build_id
    for row in session.scalars(select(LayerRow).where(of_build, LayerRow.step >= step)):
        if row.host == host_id():
            Path(row.path).unlink(missing_ok=True)
        session.delete(row)
    session.execute(delete(RunOutputRow).where(RunOutputRow.build_id == build_id))
    session.execute(update(VersionRow).where(VersionRow.build_id == build_id).values(run_output=None))
