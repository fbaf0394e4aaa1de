"""Reading templates that clients send: what is wrong with one is told with all that is (reference §5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vmwright.arm.http.errors import ArmError
from vmwright.template import read
from vmwright.template.contract import STRICT_SINCE, reaches
from vmwright.template.wording import azure_missing, azure_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vmwright.template import Problem, Reading, Template
    from vmwright.template.checked import Checked

IDENTITY_SINCE = "2020-02-14"
# What ARM's own envelope has; the address counts.
ENVELOPE = frozenset({"id", "name", "type", "systemdata"})
# What files have besides, which the service refuses once it is strict.
OF_FILES = frozenset({"apiversion", "dependson"})
DEFAULTED = "placeholder/default"


def read_sent(document: Mapping[str, Any], *, version: str, name: str) -> Checked:
    """Return a template that a client has sent, as it was written.

    :param version: the api-version of the request.
    :param name: the template's name, from the address.
    :raises ArmError: something is wrong with it; the details are all that is.
    """
    if reaches(version, STRICT_SINCE):
        for key in document:
            if key.lower() in OF_FILES:
                raise _invalid(f"{azure_unknown(version, key, key)} (leave `{key}` out.)")
    reading = _read(document, version=version, name=name)
    errors = [*reading.errors, *(one for one in reading.problems if one.code == DEFAULTED)]
    if errors:
        raise refused(errors)
    if reading.checked is None:  # no errors: there is a template
        raise AssertionError(reading)
    if reaches(version, IDENTITY_SINCE) and reading.checked.part("identity") is None:
        raise _invalid(azure_missing("", "identity"))
    return reading.checked


def read_kept(document: Mapping[str, Any], *, version: str, name: str) -> tuple[Template, str]:
    """Return a template that is kept, and why this version of vmwright does not build it ("" where it does).

    :raises ArmError: this version does not read it any more.
    """
    reading = _read(document, version=version, name=name)
    if reading.template is None:
        raise refused(reading.errors)
    return reading.template, "\n".join(_told(problem) for problem in reading.unsupported)


def refused(problems: Iterable[Problem]) -> ArmError:
    """Return the error of a template: the service's sentence about the first problem, then all of them."""
    details = [
        ArmError(400, problem.code, _told(problem), target=problem.path or None) for problem in problems
    ]
    first = next(iter(problems))
    told = f"{first.azure_message} ({_told(first)})" if first.azure_message else _failed(first)
    return ArmError(
        400, "ValidationFailed", told, target=first.path or None, details=details if len(details) > 1 else ()
    )


def _read(document: Mapping[str, Any], *, version: str, name: str) -> Reading:
    body = {key: value for key, value in document.items() if key.lower() not in ENVELOPE | OF_FILES}
    return read(json.dumps(body).encode(), api_version=version, name=name, for_build=True)


def _failed(problem: Problem) -> str:
    where = f"'{problem.path}': " if problem.path else ""
    return f"Validation failed: {where}{_told(problem)}"


def _told(problem: Problem) -> str:
    return f"{problem.message} Hint: {problem.hint}." if problem.hint else problem.message


def _invalid(message: str) -> ArmError:
    return ArmError(400, "ValidationFailed", message)
