"""JSON text -> a tree that knows where each value stands.

Comments and trailing commas are accepted, because the public samples and their users have them. Depth
and size are limited before anything recursive sees the text: templates come from strangers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_json

from vmwright.template.catalogue import Rule
from vmwright.template.problems import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 64
MAX_BYTES = 4 * 1024 * 1024
MAX_DIGITS = 20
MAX_VALUES = 50_000
PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*")
# A string that does not end runs to the end of its line, so that each pattern stays linear.
STRING = r'"(?:[^"\\\n]|\\.)*+"?'
COMMENTS = re.compile(rf"{STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
TRAILING_COMMAS = re.compile(rf"{STRING}|,(?=\s*+[\]}}])")
MARKS = re.compile(rf"{STRING}|[\[\]{{}},]")
EXPONENTS = re.compile(rf"{STRING}|[eE]\+")
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
HINTS = {
    "Expecting ',' delimiter": 'a comma is missing, or a quote inside a text is not written \\"',
    "Expecting ':' delimiter": "a key is followed by a colon and its value",
    "Expecting property name enclosed in double quotes": 'keys stand in double quotes: "key": value',
    "Unterminated string starting at": "close the text with a double quote",
    "Invalid control character at": "a text stays on one line: write \\n for a new line and \\t for a tab",
    "Extra data": "a file holds one template: one object, { ... }",
}

Plain = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, boolean or null."""

    place: Place
    value: Plain


@dataclass(frozen=True, slots=True)
class Array:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A key of an object, where it stands, and its value."""

    key: str
    place: Place
    value: Node


@dataclass(frozen=True, slots=True)
class Object:
    """An object; of members with one key the last one counts."""

    place: Place
    members: tuple[Member, ...]

    def get(self, key: str) -> Node | None:
        """Return the value of ``key``, any casing."""
        found = [member.value for member in self.members if member.key.casefold() == key.casefold()]
        return found[-1] if found else None


Node = Object | Array | Scalar


def parse(data: bytes) -> tuple[Object | None, tuple[Problem, ...]]:
    """Read a template's bytes; without a tree, the problems hold the error that says why."""
    problems: list[Problem] = []
    text = _decode(data, problems)
    if text is None:
        return None, tuple(problems)
    strict = _strict(text, problems)
    if problem := _syntax_problem(strict):
        return None, (*problems, problem)
    root = _tree(strict)
    if not isinstance(root, Object):
        message = f"The file holds {describe(root)}, not a template."
        return None, (
            *problems,
            Rule.JSON_NOT_OBJECT.at(root.place, message, hint="a template is an object: { ... }"),
        )
    return root, (*problems, *_duplicates(root))


def below(path: str, key: str) -> str:
    """Return the JSON path of a key of the object at ``path``."""
    return f"{path}.{key}".removeprefix(".") if PLAIN_KEY.fullmatch(key) else f"{path}[{key!r}]"


def plain_object(node: Object) -> dict[str, object]:
    """Return an object as a dict of dicts, lists and scalars."""
    return {member.key: plain(member.value) for member in node.members}


def plain(node: Node) -> object:
    """Return the value of a node as dicts, lists and scalars."""
    match node:
        case Object():
            return plain_object(node)
        case Array():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value


def describe(node: Node) -> str:
    """Name the kind of a value for a message."""
    match node:
        case Object():
            return "an object"
        case Array():
            return "a list"
        case Scalar(value=None):
            return "null"
        case Scalar(value=bool()):
            return "a boolean"
        case Scalar(value=str()):
            return "a text"
        case Scalar():
            return "a number"


def walk(node: Node) -> Iterator[Node]:
    """Give a node and everything below it, in the order of the file."""
    yield node
    match node:
        case Object():
            for member in node.members:
                yield from walk(member.value)
        case Array():
            for item in node.items:
                yield from walk(item)
        case Scalar():
            return


def _decode(data: bytes, problems: list[Problem]) -> str | None:
    start = Place("", 1, 1)
    if len(data) > MAX_BYTES:
        problems.append(
            Rule.JSON_TOO_LARGE.at(start, f"The file has {len(data)} bytes; {MAX_BYTES} are the limit.")
        )
        return None
    if data.startswith(WIDE_MARKS):
        problems.append(
            Rule.JSON_NOT_UTF8.at(start, "The file is UTF-16, not UTF-8.", hint="save the file as UTF-8")
        )
        return None
    if data.startswith(b"\xef\xbb\xbf"):
        message = "The file begins with a byte order mark, which JSON has not."
        problems.append(Rule.JSON_BOM.at(start, message, hint="save the file as UTF-8 without BOM"))
    try:
        # utf-8-sig drops the mark, so that line 1 begins with the first character that the user sees.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        place = Place("", before.count(b"\n") + 1, column)
        message = f"The file is not UTF-8: byte 0x{error.object[error.start]:02x} cannot be read."
        problems.append(Rule.JSON_NOT_UTF8.at(place, message, hint="save the file as UTF-8"))
        return None
    if not text.strip():
        problems.append(
            Rule.JSON_EMPTY.at(start, "The file is empty.", hint="docs/templates.md shows a first template")
        )
        return None
    return text


def _strict(text: str, problems: list[Problem]) -> str:
    """Blank out comments and trailing commas; every other character keeps its place."""
    first: list[int] = []

    def blank(found: re.Match[str]) -> str:
        if found[0].startswith('"'):
            return found[0]
        first.append(found.start())
        return re.sub(r"[^\r\n]", " ", found[0])

    strict = TRAILING_COMMAS.sub(blank, COMMENTS.sub(blank, text))
    if first:
        message = "Comments and trailing commas are accepted here; Azure's REST API takes strict JSON."
        problems.append(Rule.JSON_NOT_STRICT.at(_place_at(text, min(first)), message))
    return strict


def _place_at(text: str, offset: int) -> Place:
    return Place("", text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _syntax_problem(text: str) -> Problem | None:
    depth = values = 0
    for found in MARKS.finditer(text):
        values += found[0] in "[{,"
        if values > MAX_VALUES:
            message = f"The file holds more than {MAX_VALUES} values."
            return Rule.JSON_TOO_LARGE.at(_place_at(text, found.start()), message)
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            message = f"Values are nested more than {MAX_DEPTH} deep."
            return Rule.JSON_TOO_DEEP.at(_place_at(text, found.start()), message)
    try:
        json.loads(text, parse_int=float, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return _what_json_says(error)
    except _ConstantError as error:
        return Rule.JSON_INVALID.at(
            _place_at(text, max(text.find(error.word), 0)), f"The file is not JSON: {error.word} is no value."
        )
    return None


def _what_json_says(error: json.JSONDecodeError) -> Problem:
    message = f"The file is not JSON: {error.msg.removesuffix(' at').removesuffix(' starting')}."
    hint = HINTS.get(error.msg, "")
    match error.doc[error.pos :].strip()[:1]:
        case "":
            message = "The file is not JSON: it ends too early."
            hint = "close every bracket that was opened"
        case "<":
            hint = 'a placeholder stands in quotes: "<name>"; or write the value itself'
        case "'":
            hint = 'JSON has double quotes only: "text"'
    return Rule.JSON_INVALID.at(Place("", error.lineno, error.colno), message, hint=hint)


class _ConstantError(Exception):
    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def _no_constant(word: str) -> None:
    raise _ConstantError(word)


def _tree(text: str) -> Node:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_json.language()))
    data = EXPONENTS.sub(_without_plus, text).encode("utf-8", errors="surrogatepass")
    return _TreeBuilder(data).node(parser.parse(data).root_node.named_children[0], "")


def _without_plus(found: re.Match[str]) -> str:
    """Write 1e+5 as 1e05, which is as long: tree-sitter-json 0.24 does not know the plus."""
    return found[0] if found[0].startswith('"') else f"{found[0][0]}0"


class _TreeBuilder:
    """Turns the parser's nodes into ours; the text is known to be JSON, at most MAX_DEPTH deep."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._row = self._byte = self._column = 0

    def node(self, node: tree_sitter.Node, path: str) -> Node:
        place = self._place(node, path)
        match node.type:
            case "object":
                return Object(place, tuple(self._member(pair, path) for pair in node.named_children))
            case "array":
                items = enumerate(node.named_children)
                return Array(place, tuple(self.node(item, f"{path}[{index}]") for index, item in items))
            case _:
                return Scalar(place, self._scalar(node))

    def _member(self, pair: tree_sitter.Node, path: str) -> Member:
        key_node, value_node = pair.named_children
        key = str(self._scalar(key_node))
        under = below(path, key)
        return Member(key, self._place(key_node, under), self.node(value_node, under))

    def _scalar(self, node: tree_sitter.Node) -> Plain:
        # A number of thousands of digits is no number to us: float gives inf, which no range accepts.
        value: Plain = json.loads(self._data[node.start_byte : node.end_byte], parse_int=_integer)
        return value

    def _place(self, node: tree_sitter.Node, path: str) -> Place:
        # Nodes come in the order of the text: only what is new of a line is counted, in characters.
        row, byte = node.start_point
        if row != self._row:
            self._row, self._byte, self._column = row, 0, 0
        start = node.start_byte - (byte - self._byte)
        self._column += len(self._data[start : node.start_byte].decode("utf-8", errors="replace"))
        self._byte = byte
        return Place(path, row + 1, self._column + 1)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _duplicates(root: Node) -> Iterator[Problem]:
    for node in walk(root):
        if not isinstance(node, Object):
            continue
        seen: set[str] = set()
        for member in node.members:
            if member.key in seen:
                message = f"The key `{member.key}` is here twice; this last one counts."
                yield Rule.JSON_DUPLICATE_KEY.at(member.place, message, hint="keep one of them")
            seen.add(member.key)
