"""Holds a positioned tree against the contract of an api-version, tolerant where the documentation is.

Before 2024-02-01 the service matches field names in any casing, and Azure's template reference writes some
kinds and fields in spellings of its own: those are read, each with a warning that gives the right spelling.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.checked import Checked
from vmwright.template.contract import FIRST, STRICT_SINCE, Field, Kind, Shape, reaches
from vmwright.template.document import Array, Member, Node, Object, Scalar, describe, plain
from vmwright.template.problems import Place, Problem, Severity
from vmwright.template.shapes import SHAPES, type_name
from vmwright.template.shapes.fields import TYPE
from vmwright.template.values import ValueReader
from vmwright.template.wording import azure_bad_value, azure_missing, azure_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MAX_GUESSES = 100


def squash(name: str) -> str:
    """Return a name without what the documentation varies: casing, ``-`` and ``_``."""
    return name.casefold().replace("-", "").replace("_", "")


class Reader:
    """Reads one template; ``problems`` grows as it goes."""

    def __init__(self, version: str, open_paths: frozenset[str]) -> None:
        self.version = version
        self.problems: list[Problem] = []
        self._open_paths = open_paths
        self._guesses = MAX_GUESSES
        self._strict = reaches(version, STRICT_SINCE)
        self._severity = Severity.ERROR if self._strict else Severity.WARNING
        self._values = ValueReader(self.problems, open_paths, version)

    def read(self, node: Object, shape: Shape) -> Checked:
        """Read one object of a known shape."""
        values: dict[str, object] = {}
        places: dict[str, Place] = {}
        keys: dict[str, str] = {}
        for member in node.members:
            field = self._field(member, shape)
            if field is None:
                continue
            if keys.setdefault(field.name, member.key) != member.key:
                message = f"`{field.name}` is here twice, in two spellings; this last one counts."
                self.problems.append(Rule.FIELD_TWICE.at(member.place, message, hint="keep one of them"))
            if _is_null(member.value) or not field.exists_in(self.version):
                continue
            places |= _places(field.name, member.value)
            value = self._value(member.value, field)
            if value is not None:
                values[field.name] = value
        self._missing(node, shape, places)
        open_names = {name for name, place in places.items() if place.path in self._open_paths}
        open_fields = frozenset(name.partition("[")[0] for name in open_names)
        return Checked(shape, node.place, values, places, open_fields)

    def _match(self, key: str, shape: Shape) -> Field | None:
        if exact := shape.field(key):
            return exact
        folded = key.casefold()
        return next((field for field in shape.fields if folded in field.names), None)

    def _field(self, member: Member, shape: Shape) -> Field | None:
        field = self._match(member.key, shape)
        if field is None:
            self._unknown(member, shape)
            return None
        right = field.name_in(self.version)
        if member.key != right:
            message = f"`{member.key}` is spelled `{right}`" + (
                f" in {self.version}." if field.renamed_in else "."
            )
            problem = Rule.FIELD_SPELLING.at(
                member.place,
                message,
                hint=f"write `{right}`",
                azure_message=self._azure_unknown(member),
                severity=self._severity,
            )
            self.problems.append(problem)
        if field.read_only:
            message = f"`{field.name}` is filled in by the service; it is not read."
            self.problems.append(Rule.FIELD_READ_ONLY.at(member.place, message, hint="leave it out"))
            return None
        if not field.exists_in(self.version) and not _is_null(member.value):
            self.problems.append(self._other_version(member, field))
        return field

    def _other_version(self, member: Member, field: Field) -> Problem:
        if field.until and reaches(self.version, field.until):
            message = f"`{field.name}` is not in {self.version}; it ended before {field.until}."
            hint = "leave it out"
        else:
            message = f"`{field.name}` is not in {self.version}; it came with {field.since}."
            hint = f'"apiVersion": "{field.since}", or leave `{field.name}` out'
        azure = self._azure_unknown(member)
        return Rule.FIELD_VERSION.at(
            member.place, message, hint=hint, azure_message=azure, severity=self._severity
        )

    def _azure_unknown(self, member: Member) -> str:
        return azure_unknown(self.version, member.place.path, member.key) if self._strict else ""

    def _unknown(self, member: Member, shape: Shape) -> None:
        ignored = "" if self._strict else "; it is ignored"
        message = f"{_article(type_name(shape))} has no field `{member.key}`{ignored}."
        fields = [one for one in shape.fields if not one.read_only and one.exists_in(self.version)]
        guess = self._guess(member.key, [one.name_in(self.version) for one in fields])
        hint = f"did you mean `{guess}`?" if guess else "leave it out"
        problem = Rule.FIELD_UNKNOWN.at(
            member.place,
            message,
            hint=hint,
            azure_message=self._azure_unknown(member),
            severity=self._severity,
        )
        self.problems.append(problem)

    def _guess(self, word: str, names: list[str]) -> str:
        """Return which of ``names`` was probably meant; "" if none, or after MAX_GUESSES: they are dear."""
        if self._guesses == 0:
            return ""
        self._guesses -= 1
        squashed = {squash(name): name for name in names}
        near = difflib.get_close_matches(squash(word), squashed, n=1, cutoff=0.75)
        return squashed[near[0]] if near else ""

    def _missing(self, node: Object, shape: Shape, given: Collection[str]) -> None:
        for field in shape.fields:
            if field.name in given or not field.required_in(self.version):
                continue
            if not field.exists_in(self.version):
                continue
            name = field.name_in(self.version)
            message = f"{_article(type_name(shape))} needs `{name}`."
            self.problems.append(
                Rule.FIELD_MISSING.at(
                    node.place,
                    message,
                    hint=f'add "{name}": {_example(field)}',
                    azure_message=azure_missing(node.place.path, name),
                )
            )

    def _value(self, node: Node, field: Field) -> object:
        match field.kind:
            case Kind.OBJECT:
                return self._part(node, field)
            case Kind.OBJECTS:
                return self._items(node, field, self._part)
            case Kind.CHOICE:
                return self._choice(node, field)
            case Kind.CHOICES:
                return self._items(node, field, self._choice)
            case Kind.OPAQUE:
                return plain(node)
            case _:
                value = self._values.read(node, field)
        if value == () and field.required_in(self.version):
            message = f"`{field.name}` is empty."
            self.problems.append(Rule.VALUE_EMPTY.at(node.place, message, hint="it needs a value"))
        return value

    def _part(self, node: Node, field: Field) -> Checked | None:
        if isinstance(node, Object):
            return self.read(node, SHAPES[field.shapes[0]])
        self._values.wrong_kind(node, field, "an object, { ... }")
        return None

    def _items(
        self, node: Node, field: Field, read: Callable[[Node, Field], Checked | None]
    ) -> tuple[Checked, ...] | None:
        if not isinstance(node, Array):
            hint = f"write a list, [ ... ], not {describe(node)}"
            self._values.wrong_kind(node, field, "a list", hint=hint)
            return None
        return tuple(part for item in node.items if (part := read(item, field)))

    def _choice(self, node: Node, field: Field) -> Checked | None:
        if not isinstance(node, Object):
            self._values.wrong_kind(node, field, "an object with a `type`")
            return None
        shape = self._shape(node, field)
        return self.read(node, shape) if shape else None

    def _shape(self, node: Object, field: Field) -> Shape | None:
        allowed = {type_name(SHAPES[name], self.version): SHAPES[name] for name in field.shapes}
        offered = [name for name, shape in allowed.items() if shape.exists_in(self.version)]
        hint = f"one of {', '.join(offered)}"
        given = node.get("type")
        if given is None or _is_null(given):
            message = f"`{node.place.path}` has no `type`."
            azure = azure_bad_value(f"{node.place.path}.type", "")
            self.problems.append(Rule.FIELD_MISSING.at(node.place, message, hint=hint, azure_message=azure))
            return None
        if not isinstance(given, Scalar) or not isinstance(given.value, str):
            self._values.wrong_kind(given, TYPE, "a text", hint=hint)
            return None
        if shape := allowed.get(given.value):
            self._kind_of_version(given, shape)
            return shape
        return self._near_shape(given, given.value, allowed, offered)

    def _near_shape(
        self, given: Scalar, value: str, allowed: dict[str, Shape], offered: list[str]
    ) -> Shape | None:
        azure = azure_bad_value(given.place.path, "")
        squashed = {squash(name): name for name in allowed}
        if right := squashed.get(squash(value)):
            # The first api-version does not tell casings apart (reference §4).
            if self.version != FIRST or value.casefold() != right.casefold():
                message = f"The kind `{value}` is spelled `{right}`."
                problem = Rule.TYPE_SPELLING.at(
                    given.place,
                    message,
                    hint=f'write "type": "{right}"',
                    azure_message=azure,
                    severity=self._severity,
                )
                self.problems.append(problem)
            self._kind_of_version(given, allowed[right])
            return allowed[right]
        if given.place.path not in self._open_paths:
            guess = self._guess(value, offered)
            hint = (f"did you mean `{guess}`? " if guess else "") + f"one of {', '.join(offered)}"
            message = f"There is no kind `{value}` here."
            self.problems.append(Rule.TYPE_UNKNOWN.at(given.place, message, hint=hint, azure_message=azure))
        return None

    def _kind_of_version(self, given: Scalar, shape: Shape) -> None:
        if shape.exists_in(self.version) or shape.name == "ISO":
            return
        message = f"{type_name(shape)} is not in {self.version}; it came with {shape.since}."
        hint = f'"apiVersion": "{shape.since}"'
        self.problems.append(Rule.TYPE_VERSION.at(given.place, message, hint=hint))


def _places(name: str, node: Node) -> dict[str, Place]:
    items = node.items if isinstance(node, Array) else ()
    return {name: node.place} | {f"{name}[{index}]": item.place for index, item in enumerate(items)}


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _article(name: str) -> str:
    return f"{'An' if name[0] in 'AEIO' else 'A'} {name}"


def _example(field: Field) -> str:
    match field.kind:
        case Kind.CHOICES | Kind.OBJECTS | Kind.TEXTS | Kind.INTEGERS:
            return "[ ... ]"
        case Kind.OBJECT | Kind.CHOICE | Kind.TAGS | Kind.IDENTITIES:
            return "{ ... }"
        case _:
            return '"..."'
