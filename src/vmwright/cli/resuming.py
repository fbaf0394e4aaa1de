"""The commands that go on with a build: ``resume`` and ``distribute``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmwright.cli.attempts import own_runner, report
from vmwright.cli.running import opened, run, shown_events
from vmwright.cli.templates import print_problem, read_file, values_of
from vmwright.errors import TemplateError
from vmwright.runs.listing import end_interrupted, find_run
from vmwright.runs.reopening import redistribute, resume
from vmwright.workers.reaper import reap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from vmwright.builds.build import BuildResult
    from vmwright.runs.executors import Executor
    from vmwright.runs.listing import RunRecord
    from vmwright.runs.queue import Claim
    from vmwright.settings import Settings
    from vmwright.state.database import Database
    from vmwright.template import Template


def resume_run(
    name: str,
    *,
    from_step: int | None,
    file: Path | None,
    values: Sequence[str],
    parameters: Sequence[Path],
    as_json: bool,
) -> None:
    """Go on with a build behind its last finished step, or from the step that is named."""
    with opened() as (settings, database):
        if file is None and (values or parameters):
            option = "--set" if values else "--parameters"
            raise TemplateError(f"{option} is for a template that is read anew", hint="add --template FILE")
        end_interrupted(database)
        found = find_run(database, name)
        template: Template | None = None
        secrets: tuple[str, ...] = ()
        if file is not None:
            template, secrets = _template(file, found, values=values, parameters=parameters)

        def take(executor: Executor) -> Claim:
            return resume(
                database, found.id, executor, from_step=from_step, template=template, secrets=secrets
            )

        _go_on(take, settings, database, as_json=as_json)


def distribute_run(name: str, *, as_json: bool) -> None:
    """Try again what a build could not distribute."""
    with opened() as (settings, database):
        end_interrupted(database)
        found = find_run(database, name)
        _go_on(
            lambda executor: redistribute(database, found.id, executor), settings, database, as_json=as_json
        )


def _go_on(
    take: Callable[[Executor], Claim], settings: Settings, database: Database, *, as_json: bool
) -> None:
    result = run(_run(take, settings, database, as_json=as_json))
    if result.error is not None:
        sys.exit(result.error.exit_code)


async def _run(
    take: Callable[[Executor], Claim], settings: Settings, database: Database, *, as_json: bool
) -> BuildResult:
    async with own_runner(settings, database) as runner:
        claimed = take(runner.executor)
        with shown_events(as_json_lines=as_json) as events:
            await reap(database, events, settings=settings)
            result = await runner.run(claimed, events)
        report(result, events, database, as_json=as_json)
    return result


def _template(
    file: Path, found: RunRecord, *, values: Sequence[str], parameters: Sequence[Path]
) -> tuple[Template, tuple[str, ...]]:
    """Return the template of a file that the build is to go on with, and what of it is secret."""
    readings = read_file(
        file, values=values_of(values), parameters=parameters, name=found.name, for_build=True
    )
    for problem in readings.problems:
        print_problem(file, problem, err=True)
    templates = [one.template for one in readings.readings if one.template is not None]
    if readings.errors:
        sys.exit(TemplateError.exit_code)
    named = [one for one in templates if one.name in {None, found.name}] or templates
    if len(named) != 1:
        raise TemplateError(f"{file} has no image template {found.name}", hint="name the file of this build")
    return named[0], tuple(readings.secrets)
