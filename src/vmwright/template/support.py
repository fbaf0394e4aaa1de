"""What reads well and is not built yet by this version; a kind that gets built loses its line here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.template.checked import Checked
    from vmwright.template.problems import Problem

GUESTS = "this version builds Linux guests, with Shell and File customizers"
# The name of a shape -> the rule, what is said, and the hint. Everything else in the contract is built.
NOT_BUILT: Mapping[str, tuple[Rule, str, str]] = MappingProxyType(
    {
        "SharedImageVersion": (
            Rule.NOT_BUILT_SOURCE,
            "SharedImageVersion sources are",
            "PlatformImage and ManagedImage sources are built",
        ),
        "ISO": (Rule.NOT_BUILT_SOURCE, "ISO sources are", "PlatformImage and ManagedImage sources are built"),
        "PowerShell": (Rule.NOT_BUILT_CUSTOMIZER, "PowerShell customizers are", GUESTS),
        "WindowsRestart": (Rule.NOT_BUILT_CUSTOMIZER, "WindowsRestart customizers are", GUESTS),
        "WindowsUpdate": (Rule.NOT_BUILT_CUSTOMIZER, "WindowsUpdate customizers are", GUESTS),
        "SharedImage": (
            Rule.NOT_BUILT_DISTRIBUTOR,
            "SharedImage distributors are",
            "ManagedImage and VHD distributors are built",
        ),
        "VnetConfig": (Rule.NOT_BUILT_PROPERTY, "`vnetConfig` is", "leave it out for a local build"),
    }
)


def unsupported(template: Checked, version: str, *, for_build: bool) -> tuple[Problem, ...]:
    """Give what this version cannot build of a template: errors ``for_build``, otherwise notes.

    A field that the api-version does not have is ignored, as Azure does, and has a warning of its own.
    """
    severity = Severity.ERROR if for_build else Severity.NOTE
    return tuple(_below(template, version, severity))


def _below(part: Checked, version: str, severity: Severity) -> Iterator[Problem]:
    found = NOT_BUILT.get(part.shape.name)
    if found and _asks(dict(part.values)):
        rule, what, hint = found
        yield rule.at(part.place, f"{what} not built yet by this version.", hint=hint, severity=severity)
    for field in part.shape.fields:
        if not field.built and field.exists_in(version) and _asks(part.values.get(field.name)):
            message = f"`{field.name}` (since {field.since}) is not built yet by this version."
            hint = "leave it out for a local build"
            yield Rule.NOT_BUILT_PROPERTY.at(part.at(field.name), message, hint=hint, severity=severity)
        if below := part.part(field.name):
            yield from _below(below, version, severity)
        for item in part.parts(field.name):
            yield from _below(item, version, severity)


def _asks(value: object) -> bool:
    """Tell whether a value asks for anything: {"sourceValidationOnly": false} does not."""
    if isinstance(value, dict):
        return any(_asks(item) for item in value.values())
    if isinstance(value, list):
        return any(_asks(item) for item in value)
    return bool(value)
