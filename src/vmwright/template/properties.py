"""The page docs/properties.md, made from the contracts: every property in every api-version.

.venv/bin/python -m vmwright.template.properties >docs/properties.md
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template.contract import API_VERSIONS, FIRST, NEWEST, Field, Format, Kind, Shape, reaches
from vmwright.template.family import WINDOWS_KINDS
from vmwright.template.formats import IDS
from vmwright.template.shapes import ENVELOPE, SHAPES
from vmwright.template.support import NOT_BUILT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INTRODUCTION = f"""\
# Properties of a template

Every property that a template has, in the api-versions from {FIRST} to {NEWEST}.
This page is made from the contracts that `vmwright check` holds templates against, as is the schema for
editors ([checking.md](checking.md)). [templates.md](templates.md) has the rules beyond single properties.

"Required" holds where the property exists. "Here" says what a local build does otherwise, or not yet; where
nothing stands, it does what Azure does.
"""
HEADINGS = ("property", "holds", "required", "api-versions", "what it is for", "here")
KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.INTEGER: "whole number",
        Kind.BOOLEAN: "`true` or `false`",
        Kind.INTEGERS: "list of whole numbers",
        Kind.TAGS: "object of texts",
        Kind.IDENTITIES: "object whose keys are resource ids",
        Kind.OBJECT: "object",
        Kind.OBJECTS: "list of objects",
        Kind.OPAQUE: "anything",
    }
)
FORMATS: Mapping[Format, str] = MappingProxyType(
    {
        Format.PLAIN: "text",
        Format.NAME: "name",
        Format.URI: "address",
        Format.SHA256: "SHA-256",
        Format.DURATION: "duration",
        Format.REGION: "region",
    }
)
NOT_YET = "not built yet"


@dataclass(frozen=True, slots=True)
class Part:
    """An object of the template: its shape, its path, and the api-version since which the path exists."""

    shape: Shape
    path: str
    since: str
    is_kind: bool = False

    @property
    def heading(self) -> str:
        """What its section is called."""
        kind = f", kind `{self.shape.type_in(NEWEST)}`" if self.is_kind else ""
        return f"`{self.path}`{kind}" if self.path else "The template"


def page() -> str:
    """Return the page, in Markdown."""
    parts = _parts(Part(ENVELOPE, "", FIRST))
    return "\n".join([INTRODUCTION, *("\n".join(_section(part)) for part in parts)])


def _parts(part: Part) -> Iterator[Part]:
    """Give an object and, depth first, those below it."""
    yield part
    for field in part.shape.fields:
        path = f"{part.path}.{field.name}".lstrip(".")
        path += "[]" if field.kind in {Kind.OBJECTS, Kind.CHOICES} else ""
        is_kind = field.kind in {Kind.CHOICE, Kind.CHOICES}
        for shape in (SHAPES[name] for name in field.shapes):
            since = max(part.since, field.since, shape.since, key=API_VERSIONS.index)
            yield from _parts(Part(shape, path, since, is_kind))


def _section(part: Part) -> Iterator[str]:
    shape = part.shape
    yield f"## {part.heading}\n"
    early = f" In {FIRST} its `type` is `{shape.early_type_name}`." if shape.early_type_name else ""
    versions = _versions(part.since, shape.until)
    in_versions = f" Api-versions: {versions}." if versions != "all" else ""
    is_built = shape.name not in NOT_BUILT and shape.type_in(NEWEST) not in WINDOWS_KINDS
    here = "" if is_built else f" Here: {NOT_YET}."
    yield f"{shape.about}{early}{in_versions}{here}\n"
    yield _row(HEADINGS)
    yield "|---" * len(HEADINGS) + "|"
    for field in shape.fields:
        yield _row(_cells(field, part))
    yield ""


def _row(cells: tuple[str, ...]) -> str:
    return "".join(f"| {cell.replace('|', chr(92) + '|')} " if cell else "| " for cell in cells) + "|"


def _cells(field: Field, part: Part) -> tuple[str, ...]:
    since = max(field.since, part.since, key=API_VERSIONS.index)
    renamed = bool(field.renamed_in) and not reaches(since, field.renamed_in)
    earlier = f" (`{field.earlier_name}` before {field.renamed_in})" if renamed else ""
    return (
        f"`{field.name}`{earlier}",
        "" if field.read_only else _holds(field, part),
        _required(field),
        _versions(since, field.until or part.shape.until),
        field.about,
        _here(field),
    )


def _holds(field: Field, part: Part) -> str:
    if field.allowed:
        return " or ".join(f"`{value}`" for value in field.allowed)
    if field.name == "type" and part.is_kind:
        return f"`{part.shape.type_in(NEWEST)}`"
    match field.kind:
        case Kind.TEXT | Kind.TEXTS:
            text = f"id of {IDS[field.format][1]}" if field.format in IDS else FORMATS[field.format]
            return text if field.kind is Kind.TEXT else f"list, each one: {text}"
        case Kind.CHOICE | Kind.CHOICES:
            kinds = ", ".join(f"`{SHAPES[name].type_in(NEWEST)}`" for name in field.shapes)
            return (
                f"{'object' if field.kind is Kind.CHOICE else 'list of objects'} of one of the kinds {kinds}"
            )
        case Kind.INTEGER:
            return f"{KINDS[field.kind]}{_range(field)}"
        case _:
            return KINDS[field.kind]


def _range(field: Field) -> str:
    if field.minimum is None:
        return ""
    return (
        f", {field.minimum} to {field.maximum}" if field.maximum is not None else f", {field.minimum} or more"
    )


def _required(field: Field) -> str:
    if not field.required:
        return ""
    return f"before {field.required_until}" if field.required_until else "yes"


def _versions(since: str, until: str | None) -> str:
    if until is None:
        return "all" if since == FIRST else f"since {since}"
    last = [version for version in API_VERSIONS if not reaches(version, until)][-1]
    return f"to {last}" if since == FIRST else f"{since} to {last}" if since != last else last


def _here(field: Field) -> str:
    if field.read_only:
        return "filled in by the service; not read"
    if field.instead:
        return field.instead
    return "" if field.built else NOT_YET


if __name__ == "__main__":
    sys.stdout.write(page())
