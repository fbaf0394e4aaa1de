"""``vmwright check``: what is wrong with templates, offline."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vmwright.cli.running import fail
from vmwright.cli.sarif import sarif_log
from vmwright.cli.screen import print_json
from vmwright.cli.templates import print_problem, read_file, summary, values_of
from vmwright.errors import TemplateError
from vmwright.template import Readings
from vmwright.template.catalogue import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

Output = Literal["text", "json", "sarif"]


def check(
    templates: Sequence[Path],
    *,
    values: Sequence[str],
    parameters: Sequence[Path],
    api_version: str | None,
    output: Output,
) -> None:
    """Check templates and report as ``output`` says; exit 2 where one has an error."""
    try:
        given = values_of(values)
    except TemplateError as error:
        fail(error)
    readings = [(file, _read(file, given, parameters, api_version)) for file in templates]
    match output:
        case "json":
            print_json([_document(file, reading) for file, reading in readings])
        case "sarif":
            found = [(file, reading.problems) for file, reading in readings]
            print_json(sarif_log(found, folder=Path.cwd()))
        case "text":
            _print(readings)
    if any(reading.errors for _, reading in readings):
        sys.exit(TemplateError.exit_code)


def _print(readings: Sequence[tuple[Path, Readings]]) -> None:
    for file, reading in readings:
        for problem in reading.problems:
            print_problem(file, problem)
        print(f"{file}: {summary(reading.problems)}")


def _read(
    file: Path, values: dict[str, str], parameters: Sequence[Path], api_version: str | None
) -> Readings:
    """Read a file; one that cannot be read is a problem of that file, and the others are checked."""
    try:
        return read_file(
            file, values=values, parameters=parameters, name=None, api_version=api_version, for_build=False
        )
    except TemplateError as error:
        return Readings((), (Rule.FILE_UNREADABLE.at(None, error.message),))


def _document(file: Path, reading: Readings) -> dict[str, object]:
    return {
        "file": str(file),
        "valid": not reading.errors,
        "supported": not reading.unsupported,
        "problems": [dataclasses.asdict(problem) for problem in reading.problems],
    }
