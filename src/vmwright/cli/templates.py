"""Reading templates for a command: the file, the values of ``--set``, how problems are printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.cli.screen import say
from vmwright.cli.words import counted
from vmwright.errors import TemplateError
from vmwright.template import ParameterFile, Problem, Readings, Severity, read_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
# What Azure does not take in a template's name (reference §1) becomes a hyphen.
UNNAMED = re.compile(r"[^A-Za-z0-9_.-]+")
LONGEST_NAME = 64
OWN_RULE = "vmwright"


def template_name(file: Path) -> str:
    """Return the name that a template has by its file."""
    return UNNAMED.sub("-", file.stem).strip("-")[:LONGEST_NAME] or "template"


def values_of(settings: Sequence[str]) -> dict[str, str]:
    """Return what ``--set NAME=VALUE`` gives.

    :raises TemplateError: one is not of that form.
    """
    pairs = [setting.partition("=") for setting in settings]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise TemplateError(f"--set {name}: not of the form NAME=VALUE", hint="--set region=westus2")
    return {name.strip("<>"): value for name, _, value in pairs}


def read_file(
    file: Path,
    *,
    values: dict[str, str],
    parameters: Sequence[Path],
    name: str | None,
    api_version: str | None = None,
    for_build: bool,
) -> Readings:
    """Read and check a template's file.

    :param parameters: parameter files for a deployment template
    :raises TemplateError: a file cannot be read.
    """
    return read_all(
        _bytes_of(file),
        api_version=api_version,
        values=values,
        parameters=[ParameterFile(str(one), _bytes_of(one)) for one in parameters],
        name=name or template_name(file),
        for_build=for_build,
    )


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        hint = "--set NAME=VALUE" if "=" in file.name else None
        message = f"{file} cannot be read: {error.strerror}"
        raise TemplateError(message, target=str(file), hint=hint) from None


def print_problem(file: Path, problem: Problem, *, err: bool = False) -> None:
    """Print a problem as compilers do (``file:line:column: error[code] path: ...``), then what to write."""
    place = f"{file}:{problem.line}:{problem.column}" if problem.line else str(file)
    what = f" {problem.path}: {problem.message}" if problem.path else f" {problem.message}"
    say(f"{place}: ", (f"{problem.severity}[{problem.code}]", COLORS[problem.severity]), what, err=err)
    if problem.hint:
        say(f"    write: {problem.hint}", err=err)
    if problem.source not in {"", OWN_RULE}:
        say((f"    rule: {problem.source}", "dim"), err=err)


def summary(problems: Sequence[Problem]) -> str:
    """Return ``2 errors, 1 warning``, or ``no problems``."""
    counts = [(sum(one.severity is kind for one in problems), kind.value) for kind in Severity]
    said = [counted(count, word) for count, word in counts if count]
    return ", ".join(said) or "no problems"
