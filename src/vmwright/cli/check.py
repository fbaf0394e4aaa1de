"""``vmwright check``: what is wrong with templates, offline."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

from vmwright.cli.running import fail
from vmwright.cli.screen import print_json
from vmwright.cli.templates import print_problem, read_file, summary, values_of
from vmwright.errors import TemplateError
from vmwright.template import Problem, Reading, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def check(
    templates: Sequence[Path], *, values: Sequence[str], api_version: str | None, as_json: bool
) -> None:
    """Check templates; exit 2 where one has an error."""
    try:
        given = values_of(values)
    except TemplateError as error:
        fail(error)
    readings = [(file, _read(file, given, api_version)) for file in templates]
    if as_json:
        print_json([_document(file, reading) for file, reading in readings])
    else:
        for file, reading in readings:
            for problem in reading.problems:
                print_problem(file, problem)
            print(f"{file}: {summary(reading.problems)}")
    if any(reading.errors for _, reading in readings):
        sys.exit(TemplateError.exit_code)


def _read(file: Path, values: dict[str, str], api_version: str | None) -> Reading:
    """Read a file; one that cannot be read is a problem of that file, and the others are checked."""
    try:
        return read_file(file, values=values, name=None, api_version=api_version, for_build=False)
    except TemplateError as error:
        problem = Problem(code="file/unreadable", severity=Severity.ERROR, message=error.message)
        return Reading(None, (problem,))


def _document(file: Path, reading: Reading) -> dict[str, object]:
    return {
        "file": str(file),
        "valid": not reading.errors,
        "problems": [dataclasses.asdict(problem) for problem in reading.problems],
    }
