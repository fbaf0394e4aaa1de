"""Values for parameters: ``--set`` and parameter files, as ``az deployment`` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.nearest import nearest
from vmwright.template import document as documents
from vmwright.template.catalogue import Rule
from vmwright.template.deployment.parameters import Given
from vmwright.template.deployment.values import value_of
from vmwright.template.document import Member, Object
from vmwright.template.problems import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from vmwright.template.parameter_file import ParameterFile

WRAPPED = frozenset({"value", "reference", "metadata"})


def read_given(
    files: Sequence[ParameterFile], values: Mapping[str, str], declared: Iterable[str], *, for_build: bool
) -> tuple[dict[str, Given], list[Problem]]:
    """Return the values of parameters, by names in lower case: ``--set`` counts most, then the last file.

    :param files: ARM's parameter files, or bare objects of names
    :param values: what ``--set`` gives, to parameters and to others
    :param declared: the names of the template's parameters
    """
    names = {name.casefold(): name for name in declared}
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    for file in files:
        for name, one in _read(file, names, problems):
            given[name.casefold()] = one
    for name, text in values.items():
        if name.casefold() in names:
            given[name.casefold()] = Given(text, f"--set {name}", is_text=True)
    in_vaults = ((names[key], one.origin) for key, one in given.items() if one.is_open)
    problems += [_in_key_vault(name, origin, for_build=for_build) for name, origin in in_vaults]
    return given, problems


def _read(
    file: ParameterFile, names: Mapping[str, str], problems: list[Problem]
) -> Iterator[tuple[str, Given]]:
    tree, found = documents.parse(file.data)
    problems += [_of_file(file, problem) for problem in found]
    if tree is None:
        return
    body = tree.get("parameters")
    is_bare = body is None
    if not isinstance(body, Object):
        if body is not None:
            message = f"{file.name}: `parameters` is no object."
            problems.append(Rule.PARAMETER_FILE.at(None, message, hint="{ ... }"))
            return
        body = tree
    for member in body.members:
        origin = f"{file.name}:{member.place.line}:{member.place.column}"
        if member.key.casefold() not in names:
            if not (is_bare and member.key in {"$schema", "contentVersion"}):
                problems.append(_unknown(member.key, origin, names))
            continue
        one = _given(member, origin, problems, is_bare=is_bare)
        if one is not None:
            yield member.key, one


def _given(member: Member, origin: str, problems: list[Problem], *, is_bare: bool) -> Given | None:
    node = member.value
    keys = {one.key for one in node.members} if isinstance(node, Object) else set()
    is_wrapped = bool(keys) and keys <= WRAPPED and keys != {"metadata"}
    if isinstance(node, Object) and is_wrapped:
        value = node.get("value")
        if value is not None:
            return Given(value_of(value), origin)
        return Given(None, origin, is_open=True)
    if is_bare:
        return Given(value_of(node), origin)
    message = f"{origin}: the parameter `{member.key}` has no `value`."
    problems.append(Rule.PARAMETER_FILE.at(None, message, hint=f'"{member.key}": {{ "value": ... }}'))
    return None


def _in_key_vault(name: str, origin: str, *, for_build: bool) -> Problem:
    message = f"{origin}: the value of `{name}` is in a Key Vault, which is not asked."
    hint = f'"{name}": {{ "value": ... }} in one more file, given by --parameters after this one'
    severity = Severity.ERROR if for_build else Severity.NOTE
    return Rule.KEY_VAULT.at(None, message, hint=hint, severity=severity)


def _of_file(file: ParameterFile, problem: Problem) -> Problem:
    """Return a problem of a parameter file as one of the template, with the place in its message."""
    message = f"{file.name}:{problem.line}:{problem.column}: {problem.message}"
    rule = next(rule for rule in Rule if rule.code == problem.code)
    return rule.at(None, message, hint=problem.hint, severity=problem.severity)


def _unknown(name: str, origin: str, names: Mapping[str, str]) -> Problem:
    meant = nearest(name, names.values())
    known = ", ".join(f"`{one}`" for one in names.values())
    hint = f"did you mean `{meant}`?" if meant else f"it has {known}" if known else "it has none"
    return Rule.PARAMETER_UNKNOWN.at(None, f"{origin}: the template has no parameter `{name}`.", hint=hint)


def unused(file: ParameterFile) -> Problem:
    """Return the problem of a parameter file beside a template that has no parameters."""
    message = f"{file.name}: an image template has no parameters; a deployment template has."
    return Rule.PARAMETER_FILE.at(None, message, hint="--set fills placeholders")
