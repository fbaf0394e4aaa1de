"""``vmwright build``: one template, here and now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmwright.builds.declared import make_declared
from vmwright.builds.preflight import check_request
from vmwright.cli.attempts import own_runner, report
from vmwright.cli.running import opened, run, shown_events
from vmwright.cli.templates import print_problem, read_file, template_name, values_of
from vmwright.errors import TemplateError, UnsupportedError
from vmwright.events import BuildQueued, Outcome, ProblemFound
from vmwright.runs.executors import ExecutorKind, living
from vmwright.runs.listing import end_interrupted
from vmwright.runs.request import BuildRequest
from vmwright.runs.submission import begin, submit
from vmwright.settings import MachineChoice
from vmwright.template.formats import is_name
from vmwright.workers.reaper import reap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from vmwright.settings import Settings
    from vmwright.state.database import Database
    from vmwright.template import Problem, Readings, Template
    from vmwright.template.model import Customizer


def build(
    file: Path,
    *,
    values: Sequence[str],
    parameters: Sequence[Path],
    out: Path | None,
    formats: str | None,
    sums: bool,
    machine: str | None,
    name: str | None,
    detach: bool,
    priority: int | None,
    uses_cache: bool,
    refresh: str | None,
    as_json: bool,
) -> None:
    """Build a template, or those of a deployment; the program's exit code tells how it went."""
    with opened() as (settings, database):
        if name is not None and not is_name(name):
            raise TemplateError(f"--name {name}: not a name", hint="1 to 64 letters, digits and - _ .")
        _check_detached(out, database, detach=detach, priority=priority)
        readings = read_file(file, values=values_of(values), parameters=parameters, name=name, for_build=True)
        templates = _built_templates(file, readings, as_json=as_json)
        if name is not None and len(templates) > 1:
            message = f"--name {name}: the file has {len(templates)} image templates"
            raise TemplateError(message, hint="leave it out: each one has a name of its own")
        requests = [
            BuildRequest(
                template=template,
                name=name or template.name or template_name(file),
                machine=MachineChoice(machine) if machine else settings.machine,
                out=out.absolute() if out else None,
                formats=_formats(formats, out),
                sums=sums,
                secrets=tuple(readings.secrets),
                uses_cache=uses_cache,
                refresh_from=begin,
            )
            for template, begin in zip(templates, refreshed(refresh, templates), strict=True)
        ]
        run(_check(requests, settings, database))
        with shown_events(as_json_lines=as_json) as events:
            make_declared(readings.resources, database, events)
        if detach:
            _queue(requests, readings, database, priority=priority or 0, as_json=as_json)
        elif code := run(_build_all(requests, readings, settings, database, as_json=as_json)):
            sys.exit(code)


async def _build_all(
    requests: Sequence[BuildRequest],
    readings: Readings,
    settings: Settings,
    database: Database,
    *,
    as_json: bool,
) -> int:
    """Build one after the other, but none that needs one that failed; return the worst exit code."""
    failed: dict[str, str] = {}
    codes: list[int] = []
    end_interrupted(database)
    async with own_runner(settings, database) as runner:
        for request, reading in zip(requests, readings.readings, strict=True):
            # A stream of its own: the log of a build reads what this build says, and no other.
            with shown_events(as_json_lines=as_json) as events:
                for secret in readings.secrets:
                    events.keep_secret(secret)
                if missing := [name for one, name in failed.items() if one in reading.needs]:
                    events.warn(f"{request.name} is not built: it needs {', '.join(missing)}, which failed.")
                    continue
                await reap(database, events, settings=settings)
                result = await runner.run(begin(request, database, runner.executor), events)
            report(result, events, database, as_json=as_json)
            codes.append(result.error.exit_code if result.error else 0)
            if result.error is not None:
                failed[reading.id.casefold()] = request.name
            if result.outcome is Outcome.CANCELED:
                break
    if len(requests) > 1 and not as_json:
        print(f"{codes.count(0)} of {len(requests)} image templates built")
    return max(codes)


def _queue(
    requests: Sequence[BuildRequest], readings: Readings, database: Database, *, priority: int, as_json: bool
) -> None:
    """Leave the builds to workers, and say by which ids they are known."""
    if any(reading.needs for reading in readings.readings):
        raise UnsupportedError(
            "The image templates of this deployment need one another",
            hint="build them without --detach, which does one after the other",
        )
    with shown_events(as_json_lines=as_json) as events:
        for request in requests:
            build_id = submit(request, database, priority=priority)
            events.say(BuildQueued(build=build_id, template=request.name, priority=priority))
        if requests[0].out is not None:
            events.note(f"The files go to {requests[0].out} on the host of the worker that builds them")
        if not any(row.kind == ExecutorKind.WORKER for row in living(database)):
            events.warn("No worker runs: `vmwright worker`, here or on another host, starts one")


def _check_detached(out: Path | None, database: Database, *, detach: bool, priority: int | None) -> None:
    if priority is not None and not detach:
        raise TemplateError(
            "--priority is for builds that wait: this one begins at once", hint="add --detach"
        )
    if detach and database.is_shared and out is not None and not out.is_absolute():
        raise TemplateError(
            f"--out {out}: with --detach it is a folder of whichever host builds", hint=f"--out /FOLDER/{out}"
        )


async def _check(requests: Sequence[BuildRequest], settings: Settings, database: Database) -> None:
    for request in requests:
        await check_request(request, settings, database)


def _built_templates(file: Path, readings: Readings, *, as_json: bool) -> list[Template]:
    """Say what was found; end here where the file is invalid, or asks for what this version lacks."""
    if not as_json:
        for problem in readings.problems:
            print_problem(file, problem, err=True)
    else:
        with shown_events(as_json_lines=True) as events:
            for problem in readings.problems:
                events.say(_found(problem))
    if readings.errors:
        sys.exit(TemplateError.exit_code)
    templates = [one.template for one in readings.readings if one.template is not None]
    if readings.unsupported or not templates:
        sys.exit(UnsupportedError.exit_code)
    return templates


def _found(problem: Problem) -> ProblemFound:
    return ProblemFound(
        severity=problem.severity,
        code=problem.code,
        path=problem.path,
        line=problem.line,
        message=problem.message,
        hint=problem.hint,
    )


def refreshed(wish: str | None, templates: Sequence[Template]) -> list[int | None]:
    """Return the number of the step that ``--refresh`` names in each template, None where it has none of it.

    :raises TemplateError: none of them has such a step.
    """
    found = [None if wish is None else _step_number(wish, template) for template in templates]
    if wish is not None and not any(found):
        names = [f"{number} {step.name}" for one in templates for number, step in _numbered(one)]
        raise TemplateError(
            f"--refresh {wish}: there is no such step",
            hint=f"its number or name: {', '.join(names)}" if names else "the template has no steps",
        )
    return found


def _step_number(wish: str, template: Template) -> int | None:
    names = (number for number, step in _numbered(template) if step.name == wish)
    by_number = int(wish) if wish.isdecimal() and 1 <= int(wish) <= len(template.customize) else None
    return next(names, by_number)


def _numbered(template: Template) -> Iterator[tuple[int, Customizer]]:
    return enumerate(template.customize, start=1)


def _formats(formats: str | None, out: Path | None) -> tuple[str, ...]:
    from vmwright.distributors.export import FORMATS

    asked = tuple(dict.fromkeys(part.strip().lower() for part in (formats or "").split(",") if part.strip()))
    unknown = [one for one in asked if one not in FORMATS]
    if unknown:
        raise TemplateError(f"--format {unknown[0]}: not a format", hint=f"known are {', '.join(FORMATS)}")
    if asked and out is None:
        raise TemplateError("--format names files, but not where they go", hint="add --out DIR")
    return asked
