"""The way of one template through this room: bytes -> tree -> filled -> checked -> model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.template import document as documents
from vmwright.template.catalogue import Rule
from vmwright.template.checking import check
from vmwright.template.contract import (
    API_VERSIONS,
    NEWEST,
    STRICT_SINCE,
    reaches,
)
from vmwright.template.document import Object, Scalar
from vmwright.template.modelling import model_of
from vmwright.template.placeholders import Filled, fill
from vmwright.template.reading import Reader
from vmwright.template.shapes import ENVELOPE
from vmwright.template.support import unsupported, without_effect
from vmwright.template.wording import known_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.template.checked import Checked
    from vmwright.template.model import Template
    from vmwright.template.problems import Place, Problem

# What ARM takes for an expression: [function(...)...]; a shell's [ -f file ] is none.
EXPRESSION = re.compile(r"\[\s*[A-Za-z_]\w*\s*\(.*\]", re.DOTALL)
UNFIT_CHARACTER = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading: ``template`` is there unless an error (of the template, or of filling it) stands.

    Problems stand in the order of the file. Those under ``unsupported/`` do not take the template away: they
    say what this version cannot build yet (exit code 3), not that the template is wrong (exit code 2).
    A template of a deployment has an ``id``, and ``needs`` the resources with these ids, in lower case.
    ``checked`` is what stands in it, where there is a template: for who shows it as it was written.
    """

    template: Template | None
    problems: tuple[Problem, ...]
    id: str = ""
    needs: frozenset[str] = frozenset()
    checked: Checked | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What makes the template invalid."""
        return tuple(one for one in self.problems if one.is_error and not one.is_unsupported)

    @property
    def unsupported(self) -> tuple[Problem, ...]:
        """What this version cannot build, whatever its severity."""
        return tuple(one for one in self.problems if one.is_unsupported)


def read(
    data: bytes,
    *,
    api_version: str | None = None,
    values: Mapping[str, str] | None = None,
    name: str = "template",
    for_build: bool = False,
) -> Reading:
    """Read and check a template.

    :param data: the file as it is, or a request's body
    :param api_version: for a body that does not name its own; None: the newest
    :param values: what ``--set`` gives to placeholders
    :param name: the template's name where the body has none; defaults of placeholders derive from it
    :param for_build: a placeholder without value, and what is not built yet, are errors rather than notes
    """
    tree, found = documents.parse(data)
    if tree is None:
        return Reading(None, found)
    if is_deployment(tree):
        message = "This is an ARM deployment template; an image template belongs here."
        hint = "the image template from its `resources`, with the values of its expressions"
        return Reading(None, (*found, Rule.ARM_DEPLOYMENT.at(tree.place, message, hint=hint)))
    filled = fill(tree, values or {}, name=name, for_build=for_build)
    return read_filled(filled, found, api_version=api_version, name=name, for_build=for_build)


def read_filled(
    filled: Filled, found: tuple[Problem, ...], *, api_version: str | None, name: str, for_build: bool
) -> Reading:
    """Read and check a tree whose placeholders are filled; ``found`` is what was found in it before."""
    problems = [*found, *filled.problems, *_texts(filled.tree)]
    version = _version(filled, api_version, problems)
    if version is None:
        return Reading(None, _in_order(problems))
    reader = Reader(version, filled.open_paths)
    checked = reader.read(filled.tree, ENVELOPE)
    problems += reader.problems
    problems += check(checked, version)
    problems += unsupported(checked, for_build=for_build)
    problems += without_effect(checked)
    reading = Reading(None, _in_order(problems))
    if reading.errors:
        return reading
    body = documents.plain_object(filled.tree)
    template = model_of(checked, api_version=version, name=name, document=body)
    return Reading(template, reading.problems, checked=checked)


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda one: (one.line, one.column)))


def is_deployment(tree: Object) -> bool:
    """Tell whether a file is an ARM deployment template, by its schema or its resources."""
    schema = tree.get("$schema")
    says_so = isinstance(schema, Scalar) and "deploymenttemplate" in str(schema.value).casefold()
    return says_so or tree.get("resources") is not None


def _texts(tree: Object) -> Iterator[Problem]:
    for node in documents.walk(tree):
        if isinstance(node, Object):
            unfit = [member.place for member in node.members if UNFIT_CHARACTER.search(member.key)]
        elif isinstance(node, Scalar) and isinstance(node.value, str):
            unfit = [node.place] if UNFIT_CHARACTER.search(node.value) else []
            if EXPRESSION.fullmatch(node.value):
                message = "Expressions are evaluated in ARM deployment templates only; this stays a text."
                hint = "write its value, or put the image template into `resources` of a deployment template"
                yield Rule.ARM_PLAIN.at(node.place, message, hint=hint)
        else:
            continue
        for place in unfit:
            yield Rule.JSON_CHARACTER.at(place, "The text holds NUL or half of a surrogate pair.")


def _version(filled: Filled, given: str | None, problems: list[Problem]) -> str | None:
    """Return the api-version to read by, None after an error."""
    node = filled.tree.get("apiVersion")
    place: Place | None = None
    is_open = node is not None and node.place.path in filled.open_paths
    if isinstance(node, Scalar) and isinstance(node.value, str) and not is_open:
        place, version = node.place, node.value
        if given is not None and given != version:
            message = f"The template names {version} itself; --api-version {given} has no effect."
            problems.append(Rule.VERSION_UNUSED.at(place, message))
    elif given is not None:
        version = given
    else:
        version = NEWEST
        message = f"The template names no api-version; it is read as {version}."
        hint = f'"apiVersion": "{version}", or --api-version for a request\'s body'
        problems.append(Rule.VERSION_ASSUMED.at(None, message, hint=hint))
    if version not in API_VERSIONS:
        problems.append(_unknown_version(version, place))
        return None
    problems += _about_version(version, place)
    return version


def _unknown_version(version: str, place: Place | None) -> Problem:
    message = f"There is no api-version `{version}`."
    return Rule.VERSION_UNKNOWN.at(place, message, hint=known_versions(version))


def _about_version(version: str, place: Place | None) -> Iterator[Problem]:
    if place is not None and reaches(version, STRICT_SINCE):
        message = f"Azure's REST API refuses `apiVersion` in the body since {STRICT_SINCE}."
        yield Rule.VERSION_IN_BODY.at(place, message)
