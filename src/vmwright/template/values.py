"""Reads the simple values of a template: texts, numbers, booleans, lists and tags."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template import formats
from vmwright.template.catalogue import Rule
from vmwright.template.contract import Field, Kind
from vmwright.template.document import Array, Node, Object, Scalar, describe
from vmwright.template.texts import TextReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vmwright.template.problems import Problem

KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.TEXT: "a text",
        Kind.INTEGER: "a whole number",
        Kind.BOOLEAN: "true or false",
        Kind.TEXTS: "a list of texts",
        Kind.INTEGERS: "a list of whole numbers",
        Kind.TAGS: "an object of texts",
        Kind.IDENTITIES: "an object whose keys are resource ids",
    }
)
DIGITS = re.compile(r"-?[0-9]{1,10}")


class ValueReader:
    """Reads simple values; what it finds goes to ``problems``."""

    def __init__(self, problems: list[Problem], open_paths: frozenset[str], version: str) -> None:
        self._problems = problems
        self._open_paths = open_paths
        self._forms = TextReader(problems, version)
        self._readers: Mapping[Kind, Callable[[Node, Field], object]] = {
            Kind.TEXT: self._text,
            Kind.INTEGER: self._integer,
            Kind.BOOLEAN: self._boolean,
            Kind.TEXTS: self._texts,
            Kind.INTEGERS: self._integers,
            Kind.TAGS: self._tags,
            Kind.IDENTITIES: self._identities,
        }

    def read(self, node: Node, field: Field) -> object:
        """Return a value of the field's kind, or None after a problem."""
        return self._readers[field.kind](node, field)

    def wrong_kind(self, node: Node, field: Field, wanted: str, *, hint: str = "") -> None:
        """Say that a value is of the wrong kind."""
        name = node.place.path.rpartition(".")[2] or field.name
        message = f"`{name}` is {describe(node)}; it must be {wanted}."
        self._problems.append(Rule.VALUE_TYPE.at(node.place, message, hint=hint or f"write {wanted}"))

    def _loose(self, node: Node, field: Field, write: str) -> None:
        message = f"`{field.name}` is {describe(node)}; Azure takes {KINDS[field.kind]} only."
        self._problems.append(Rule.VALUE_LOOSE.at(node.place, message, hint=f"write {write}"))

    def _text(self, node: Node, field: Field) -> str | None:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.wrong_kind(node, field, KINDS[field.kind])
            return None
        if node.place.path in self._open_paths:
            return node.value
        if field.required and not node.value.strip():
            message = f"`{field.name}` is empty."
            self._problems.append(Rule.VALUE_EMPTY.at(node.place, message, hint="it needs a value"))
            return None
        if field.allowed:
            return self._forms.allowed(node.value, node.place, field)
        return self._forms.formatted(node.value, node.place, field) if node.value else node.value

    def _integer(self, node: Node, field: Field) -> int | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and node.place.path in self._open_paths:
            return None
        if isinstance(value, str) and DIGITS.fullmatch(value):
            self._loose(node, field, value)
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            self.wrong_kind(node, field, KINDS[field.kind])
            return None
        low, high = field.minimum, field.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            wanted = f"from {low} to {high}" if high is not None else f"{low} or more"
            message = f"`{field.name}` is {value}; it must be {wanted}."
            self._problems.append(Rule.VALUE_RANGE.at(node.place, message))
            return None
        return value

    def _boolean(self, node: Node, field: Field) -> bool | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and node.place.path in self._open_paths:
            return None
        if isinstance(value, str) and value.casefold() in {"true", "false"}:
            self._loose(node, field, value.casefold())
            return value.casefold() == "true"
        if not isinstance(value, bool):
            self.wrong_kind(node, field, KINDS[field.kind])
            return None
        return value

    def _texts(self, node: Node, field: Field) -> tuple[str, ...] | None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            self._loose(node, field, '[ "..." ]')
            return (node.value,)
        if not isinstance(node, Array):
            self.wrong_kind(node, field, KINDS[field.kind])
            return None
        values = []
        for item in node.items:
            if isinstance(item, Scalar) and isinstance(item.value, str):
                is_open = item.place.path in self._open_paths
                values.append(item.value if is_open else self._forms.formatted(item.value, item.place, field))
            else:
                self.wrong_kind(item, field, "a list of texts only", hint='write it in quotes: "..."')
        return tuple(values)

    def _integers(self, node: Node, field: Field) -> tuple[int, ...] | None:
        items: tuple[Node, ...]
        if isinstance(node, Scalar) and isinstance(node.value, str):
            words = node.value.replace(",", " ").split()
            items = tuple(Scalar(node.place, word) for word in words) or (node,)
        elif isinstance(node, Array):
            items = node.items
        else:
            items = (node,)
        if any(item.place.path in self._open_paths for item in items):
            return None
        values = []
        for item in items:
            value = item.value if isinstance(item, Scalar) else None
            if isinstance(value, str) and DIGITS.fullmatch(value):
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool):
                values.append(value)
            else:
                self.wrong_kind(item, field, KINDS[field.kind], hint="such as [ 0, 3010 ]")
                return None
        if not isinstance(node, Array) or any(not _is_int(item) for item in node.items):
            self._loose(node, field, str(values))
        return tuple(values)

    def _tags(self, node: Node, field: Field) -> dict[str, str] | None:
        if not isinstance(node, Object):
            self.wrong_kind(node, field, KINDS[field.kind])
            return None
        tags = {}
        for member in node.members:
            if isinstance(member.value, Scalar) and isinstance(member.value.value, str):
                tags[member.key] = member.value.value
            else:
                self.wrong_kind(member.value, field, "a text", hint="the value of a tag is a text")
        return tags

    def _identities(self, node: Node, field: Field) -> tuple[str, ...] | None:
        if not isinstance(node, Object):
            self.wrong_kind(node, field, KINDS[field.kind])
            return None
        types, names = formats.IDENTITY_ID
        for member in node.members:
            if member.place.path in self._open_paths:
                continue
            if fault := formats.id_fault(member.key, types):
                hint = f"the id of {names}: {formats.id_pattern(types)}"
                self._forms.bad_id(member.key, member.place, "userAssignedIdentities", fault, hint)
        return tuple(member.key for member in node.members)


def _is_int(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, int) and not isinstance(node.value, bool)
