"""``vmwright build``: one template, here and now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmwright.builds.build import BuildRequest
from vmwright.builds.preflight import check_request
from vmwright.builds.reaper import reap
from vmwright.builds.run import run_build
from vmwright.cli.running import opened, print_error, run, shown_events
from vmwright.cli.templates import print_problem, read_file, template_name, values_of
from vmwright.cli.words import duration, size
from vmwright.errors import TemplateError, UnsupportedError
from vmwright.events import Events, ProblemFound
from vmwright.settings import MachineChoice
from vmwright.template.formats import is_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vmwright.builds.build import BuildResult
    from vmwright.settings import Settings
    from vmwright.state.database import Database
    from vmwright.template import Reading, Template


def build(
    file: Path,
    *,
    values: Sequence[str],
    out: Path | None,
    formats: str | None,
    machine: str | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Build a template and end the program with the exit code that tells how it went."""
    with opened() as (settings, database):
        if name is not None and not is_name(name):
            raise TemplateError(f"--name {name}: not a name", hint="1 to 64 letters, digits and - _ .")
        reading = read_file(file, values=values_of(values), name=name, for_build=True)
        with shown_events(as_json_lines=as_json) as events:
            template = _built_template(file, reading, events, as_json=as_json)
            request = BuildRequest(
                template=template,
                name=name or template.name or template_name(file),
                machine=MachineChoice(machine) if machine else settings.machine,
                out=out.absolute() if out else None,
                formats=_formats(formats, out),
            )
            result = run(_build(request, settings, database, events))
        _finish(result, as_json=as_json)


async def _build(
    request: BuildRequest, settings: Settings, database: Database, events: Events
) -> BuildResult:
    await check_request(request, settings, database)
    await reap(database, events)
    return await run_build(request, settings=settings, database=database, events=events)


def _built_template(file: Path, reading: Reading, events: Events, *, as_json: bool) -> Template:
    """Say what was found; end here where the template is invalid, or asks for what this version lacks."""
    for problem in reading.problems:
        if not as_json:
            print_problem(file, problem, err=True)
            continue
        events.say(
            ProblemFound(
                severity=problem.severity,
                code=problem.code,
                path=problem.path,
                line=problem.line,
                message=problem.message,
                hint=problem.hint,
            )
        )
    if reading.errors:
        sys.exit(TemplateError.exit_code)
    if reading.unsupported or reading.template is None:
        sys.exit(UnsupportedError.exit_code)
    return reading.template


def _formats(formats: str | None, out: Path | None) -> tuple[str, ...]:
    from vmwright.distributors.export import FORMATS

    asked = tuple(dict.fromkeys(part.strip().lower() for part in (formats or "").split(",") if part.strip()))
    unknown = [one for one in asked if one not in FORMATS]
    if unknown:
        raise TemplateError(f"--format {unknown[0]}: not a format", hint=f"known are {', '.join(FORMATS)}")
    if asked and out is None:
        raise TemplateError("--format names files, but not where they go", hint="add --out DIR")
    return asked


def _finish(result: BuildResult, *, as_json: bool) -> None:
    """Say what there is now and where; the exit code is 0 only when all of it is there."""
    if not as_json:
        for output in result.outputs:
            if output.file is not None and not output.error:
                status = output.file.stat()
                print(f"  {output.file}  {size(status.st_size)}, {size(status.st_blocks * 512)} on this disk")
        print(f"build {result.id} {result.outcome} in {duration(result.seconds)}; log: {result.log}")
    if result.error is not None:
        print_error(result.error)
        sys.exit(result.error.exit_code)
