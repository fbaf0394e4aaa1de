"""The language of expressions: ``[concat('a', parameters('b').c[0])]`` -> a tree.

A text is an expression when it begins with ``[`` and ends with ``]``; ``[[...]`` is the text ``[...]``.
Texts stand in apostrophes, doubled inside. Depth is limited, because templates come from strangers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.values import MAX_NESTING, Value, integer

MAX_CHARACTERS = 24_576
TOKEN = re.compile(
    r"(?P<blank>\s++)|(?P<text>'(?:[^']|'')*+')|(?P<number>[-+]?[0-9]++(?!\w))"
    r"|(?P<name>[A-Za-z_$][\w$]*+)|(?P<mark>[()\[\],.])",
    re.ASCII,
)
LITERALS = ("true", "false", "null")
MAX_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Literal:
    """A text or an integer."""

    value: Value


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; ``namespace`` of a function that the template itself defines."""

    name: str
    arguments: tuple[Expression, ...]
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """A property (``.name``) or an item (``[0]``)."""

    target: Expression
    key: Expression


Expression = Literal | Call | Access


def is_expression(text: str) -> bool:
    """Tell whether ARM takes a text for an expression."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def unescaped(text: str) -> str:
    """Return what a text that is no expression says: ``[[a]`` is ``[a]``."""
    return text[1:] if text.startswith("[[") and text.endswith("]") else text


def parse(text: str) -> Expression:
    """Return the tree of a text for which ``is_expression`` holds.

    :raises FaultError: it cannot be read.
    """
    if len(text) > MAX_CHARACTERS:
        raise FaultError(
            f"The expression has {len(text)} characters; {MAX_CHARACTERS} are the limit.",
            rule=Rule.ARM_SYNTAX,
        )
    parser = _Parser(text[1:-1])
    expression = parser.expression(1)
    parser.end()
    return expression


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._lex())
        self._next = 0

    def _lex(self) -> list[_Token]:
        tokens = []
        position = 0
        while position < len(self._text):
            found = TOKEN.match(self._text, position)
            if found is None:
                self._unreadable(position)
            if found.lastgroup != "blank":
                tokens.append(_Token(str(found.lastgroup), found[0], position))
            position = found.end()
        return [*tokens, _Token("end", "", len(self._text))]

    def _unreadable(self, position: int) -> NoReturn:
        if self._text[position] == "'":
            self._fail(position, "the text that begins here does not end", "close it with an apostrophe")
        if self._text[position] == '"':
            self._fail(position, "a quote", "inside an expression texts stand in apostrophes: 'text'")
        self._fail(position, f"`{self._text[position]}`")

    def _fail(self, position: int, what: str, hint: str = "") -> NoReturn:
        # What stands between the brackets begins at the second character of the text.
        message = f"The expression cannot be read: at character {position + 2}, {what}."
        escape = "a text that is no expression but stands in [ ] begins with [["
        raise FaultError(message, rule=Rule.ARM_SYNTAX, hint=hint or escape)

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _taken(self, mark: str) -> bool:
        if self._peek().kind != "mark" or self._peek().text != mark:
            return False
        self._next += 1
        return True

    def _expect(self, mark: str) -> None:
        if not self._taken(mark):
            token = self._peek()
            self._fail(token.start, f"`{mark}` is missing", f"write `{mark}` there")

    def end(self) -> None:
        token = self._peek()
        if token.kind != "end":
            self._fail(token.start, f"`{token.text}` is one too many")

    def expression(self, depth: int) -> Expression:
        token = self._take()
        if depth > MAX_NESTING:
            self._fail(token.start, f"functions are nested more than {MAX_NESTING} deep")
        match token.kind:
            case "text":
                return Literal(token.text[1:-1].replace("''", "'"))
            case "number":
                if len(token.text) > MAX_DIGITS:
                    self._fail(token.start, "the number has too many digits")
                return Literal(integer(int(token.text)))
            case "name":
                return self._accesses(self._call(token, depth), depth)
            case _:
                end = "it ends too early"
                return self._fail(token.start, end if token.kind == "end" else f"`{token.text}`")

    def _call(self, token: _Token, depth: int) -> Expression:
        namespace, name = "", token.text
        if self._taken("."):
            namespace, name = name, self._name()
        if not self._taken("("):
            hint = f"write {name}()" if name.lower() in LITERALS else "a text stands in apostrophes: 'text'"
            self._fail(token.start, f"`{token.text}` is no function call", hint)
        arguments: list[Expression] = []
        while not self._taken(")"):
            if arguments:
                self._expect(",")
            arguments.append(self.expression(depth + 1))
        return Call(name, tuple(arguments), namespace)

    def _accesses(self, target: Expression, depth: int) -> Expression:
        count = depth
        while True:
            if self._taken("."):
                target = Access(target, Literal(self._name()))
            elif self._taken("["):
                target = Access(target, self.expression(depth + 1))
                self._expect("]")
            else:
                return target
            count += 1
            if count > MAX_NESTING:
                self._fail(self._peek().start, f"values are nested more than {MAX_NESTING} deep")

    def _name(self) -> str:
        token = self._take()
        if token.kind != "name":
            self._fail(token.start, "a name is missing after the dot")
        return token.text
