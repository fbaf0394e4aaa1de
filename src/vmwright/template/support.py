"""What reads well and is not built yet by this version, and what has no effect on a local build.

A kind that gets built loses its line here; a field that gets built loses its ``built=False`` in ``shapes``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template import formats
from vmwright.template.catalogue import Rule
from vmwright.template.checked import Checked
from vmwright.template.family import windows_kinds, windows_source
from vmwright.template.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.template.problems import Problem

GUESTS = "this version builds Linux guests, with Shell and File steps"
SOURCES = "PlatformImage, ManagedImage and SharedImageVersion sources are built"
# The name of a shape -> the rule, what is said, and the hint. Everything else in the contract is built.
NOT_BUILT: Mapping[str, tuple[Rule, str, str]] = MappingProxyType(
    {
        "ISO": (Rule.NOT_BUILT_SOURCE, "ISO sources are", SOURCES),
        "PowerShell": (Rule.NOT_BUILT_CUSTOMIZER, "PowerShell customizers are", GUESTS),
        "PowerShellValidator": (Rule.NOT_BUILT_CUSTOMIZER, "PowerShell validations are", GUESTS),
    }
)
# Values that ask for what happens anyway.
USUAL = frozenset({"", "Disabled", "Full", "cleanup"})


def unsupported(template: Checked, *, for_build: bool) -> tuple[Problem, ...]:
    """Give what this version cannot build of a template: errors ``for_build``, otherwise notes.

    A template for Windows is one problem only: while there is no guest, no single step matters.
    """
    severity = Severity.ERROR if for_build else Severity.NOTE
    properties = template.part("properties")
    if properties and (problem := _windows(properties, severity)):
        return (problem,)
    return tuple(_below(template, severity))


def without_effect(part: Checked) -> Iterator[Problem]:
    """Give what Azure does with a template and a local build has no need to do, as notes."""
    for field in part.shape.fields:
        if field.instead and _asks(part.values.get(field.name)):
            message = f"`{field.name}` has no effect on a local build: {field.instead}."
            yield Rule.NO_EFFECT.at(part.at(field.name), message)
        for below in _parts(part, field.name):
            yield from without_effect(below)


def _windows(properties: Checked, severity: Severity) -> Problem | None:
    source, kinds = windows_source(properties), windows_kinds(properties)
    what = [f"the source {source}"] if source else []
    if kinds:
        what.append(f"steps of the kind{'s' * (len(kinds) > 1)} {', '.join(kinds)}")
    if not what:
        return None
    needs = " and ".join(what)
    message = (
        f"This version builds Linux guests with Shell and File steps; a Windows guest is lacking for {needs}."
    )
    place = properties.at("source" if source else "customize")
    return Rule.NOT_BUILT_WINDOWS.at(place, message, severity=severity)


def _below(part: Checked, severity: Severity) -> Iterator[Problem]:
    found = NOT_BUILT.get(part.shape.name)
    if found and _asks(dict(part.values)):
        rule, what, hint = found
        yield rule.at(part.place, f"{what} not built yet by this version.", hint=hint, severity=severity)
    if formats.is_direct_shared(part.text("imageVersionId")):
        message = "Galleries that are shared directly are not built from yet by this version."
        yield Rule.NOT_BUILT_SOURCE.at(part.place, message, hint=SOURCES, severity=severity)
    for field in part.shape.fields:
        if not field.built and _asks(part.values.get(field.name)):
            message = f"`{field.name}` (since {field.since}) is not built yet by this version."
            hint = "leave it out for a local build"
            yield Rule.NOT_BUILT_PROPERTY.at(part.at(field.name), message, hint=hint, severity=severity)
            continue
        for below in _parts(part, field.name):
            yield from _below(below, severity)


def _parts(part: Checked, name: str) -> tuple[Checked, ...]:
    below = part.part(name)
    return (below,) if below else part.parts(name)


def _asks(value: object) -> bool:
    """Tell whether a value asks for more than what happens anyway: {"state": "Disabled"} does not."""
    if isinstance(value, Checked):
        return any(_asks(item) for item in value.values.values())
    if isinstance(value, dict):
        return any(_asks(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_asks(item) for item in value)
    return value not in USUAL if isinstance(value, str) else bool(value)
