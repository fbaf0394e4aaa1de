"""Going on with a build that has ended, or that nobody runs any more: from its last step, or from another."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from vmwright.errors import UnsupportedError, VmwrightError
from vmwright.runs.going_on import newest_layer
from vmwright.runs.hints import SHORT
from vmwright.runs.layer_files import remove_unused
from vmwright.runs.queue import take, taking
from vmwright.runs.records import outputs_of
from vmwright.runs.secrets import shown
from vmwright.runs.states import RunState
from vmwright.runs.stored_request import StoredRequest, restored, stored
from vmwright.state.host import host_id
from vmwright.state.tables import BuildRow, InputRow, LayerRow, RunOutputRow, VersionRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vmwright.runs.executors import Executor
    from vmwright.runs.queue import Claim
    from vmwright.runs.request import BuildRequest
    from vmwright.state.database import Database
    from vmwright.template import Template
    from vmwright.template.model import Customizer


def requested(row: BuildRow) -> BuildRequest:
    """Return what a build was asked to be.

    :raises VmwrightError: an earlier version of vmwright made it, or this one does not read its template.
    """
    if not row.request:
        raise VmwrightError(
            f"Build {row.id} is of an earlier version of vmwright, which did not keep what it takes "
            "to go on with it",
            hint="build its template anew",
        )
    return restored(StoredRequest.model_validate(row.request), row.template)


def resume(
    database: Database,
    build_id: str,
    executor: Executor,
    *,
    from_step: int | None = None,
    template: Template | None = None,
    secrets: tuple[str, ...] = (),
) -> Claim:
    """Take a build and have it go on behind its newest layer.

    :param from_step: have it go on from this step, and do it and the later ones again.
    :param template: what the steps to come are taken from; ``secrets`` are values of it that no log may have.
    :raises VmwrightError: somebody runs it, or another build of its template; it has succeeded, a step before
        ``from_step`` is missing, or ``template`` differs in what is done already.
    """
    with taking(database, executor) as session:
        row = session.get_one(BuildRow, build_id, with_for_update=True)
        request, done = requested(row), _last_step(session, build_id)
        begin = from_step if from_step is not None else done + 1
        _check_step(begin, done, request, build_id)
        if row.run_state == RunState.SUCCEEDED and from_step is None:
            raise VmwrightError(f"Build {build_id} has succeeded: there is nothing to go on with")
        if template is not None:
            _check_same(request.template, template, before=begin)
        claimed = take(session, database, row, executor)
        if template is not None:
            known = dict.fromkeys((*request.secrets, *secrets))
            request = dataclasses.replace(request, template=template, secrets=tuple(known))
            row.template = shown(template, request.secrets)
        row.request = stored(request, again_from="fetch")
        row.deadline = None
        if begin <= done:
            _forget_from(session, build_id, begin)
        session.execute(delete(InputRow).where(InputRow.build_id == build_id, InputRow.number >= begin))
        return claimed


def redistribute(database: Database, build_id: str, executor: Executor) -> Claim:
    """Take a build whose image is finished and have its failed distributors tried again.

    :raises VmwrightError: somebody runs it, or another build of its template; nothing of it has failed, or
        its image is not there any more.
    """
    with taking(database, executor) as session:
        row = session.get_one(BuildRow, build_id, with_for_update=True)
        request = requested(row)
        done = {output.name for output in outputs_of(session, build_id) if not output.error}
        failed = [name for name in request.output_names if name not in done]
        if row.run_state == RunState.SUCCEEDED or not failed:
            raise VmwrightError(f"Build {build_id} has distributed all there was to: nothing has failed")
        if _last_step(session, build_id) <= len(request.template.customize):
            raise UnsupportedError(
                f"The image of build {build_id} is not finished, or not kept any longer",
                hint=f"`vmwright resume {build_id[:SHORT]}` goes on with the build",
            )
        claimed = take(session, database, row, executor)
        row.request = stored(request, again_from=f"distribute {failed[0]}")
        row.deadline = None
        return claimed


def _last_step(session: Session, build_id: str) -> int:
    """Return the last step that the newest layer of a build has behind it; 0: there is none."""
    newest = newest_layer(session, build_id)
    return newest.step if newest else 0


def _check_step(begin: int, done: int, request: BuildRequest, build_id: str) -> None:
    count = len(request.template.customize)
    if not 1 <= begin <= max(count, done) + 1:
        raise VmwrightError(f"There is no step {begin}", hint=f"the build has steps 1 to {count}")
    if begin > done + 1:
        short = build_id[:SHORT]
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
    for row in session.scalars(select(LayerRow).where(of_build, LayerRow.step >= step)).all():
        session.delete(row)
        if row.host == host_id():
            remove_unused(session, Path(row.path))
    session.execute(delete(RunOutputRow).where(RunOutputRow.build_id == build_id))
    session.execute(update(VersionRow).where(VersionRow.build_id == build_id).values(run_output=None))
