"""The values of expressions: JSON, with its types kept, and how much of it there may be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TypeAlias

from vmwright.template.deployment.faults import FaultError, limit
from vmwright.template.document import MARKS, Array, Member, Node, Object, Scalar, below
from vmwright.template.problems import Place

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

# Azure Resource Manager takes templates of 4 MB, expanded; a value counts as 16 characters.
MAX_VALUE = 4 * 1024 * 1024
MAX_SPENT = 16 * 1024 * 1024
MAX_STEPS = 150_000
MAX_NESTING = 64
VALUE_COST = 16
INT_MAX = 2**63 - 1
# A boolean is an integer to Python: it comes first.
KINDS = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a number with a fraction"),
    (str, "a text"),
    (list, "an array"),
    (dict, "an object"),
)
QUOTED = re.compile(r"""\"(?:[^"\\]|\\.)*+\"|'((?:[^'\\]|\\.)*+)'""")


@dataclass(slots=True)
class Budget:
    """What one file may use: characters and values made, and steps taken."""

    spent: int = 0
    steps: int = 0

    def spend(self, value: Value) -> None:
        """Count a value that was made.

        :raises FaultError: it, or all of them together, are too much.
        """
        self.spent += cost(value)
        if self.spent > MAX_SPENT:
            raise limit("The expressions of this file make more values than are evaluated here.")

    def step(self) -> None:
        """Count a step of the evaluation.

        :raises FaultError: there were too many.
        """
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise limit(f"The expressions of this file need more than {MAX_STEPS} steps.")


def cost(value: Value) -> int:
    """Return how much a value counts.

    :raises FaultError: it is larger than MAX_VALUE, or nested deeper than MAX_NESTING.
    """
    total = 0
    waiting: list[tuple[Value, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise limit(f"The value is nested more than {MAX_NESTING} deep.")
        total += VALUE_COST
        match one:
            case str():
                total += len(one)
            case list():
                total += VALUE_COST * len(one)
                if total <= MAX_VALUE:
                    waiting.extend((item, depth + 1) for item in one)
            case dict():
                total += sum(map(len, one)) + VALUE_COST * len(one)
                if total <= MAX_VALUE:
                    waiting.extend((item, depth + 1) for item in one.values())
            case _:
                pass
        if total > MAX_VALUE:
            raise limit("The value is larger than the 4 MB that Azure Resource Manager takes.")
    return total


def check_length(length: int) -> None:
    """Refuse a text before it is made.

    :raises FaultError: it would be longer than MAX_VALUE characters.
    """
    if length > MAX_VALUE:
        raise limit(f"The text would have {length} characters; {MAX_VALUE} are the limit.")


def kind_of(value: Value) -> str:
    """Name the kind of a value for a message."""
    return next((name for one, name in KINDS if isinstance(value, one)), "null")


def text_of(value: Value) -> str:
    """Return a value as ``string()`` writes it: booleans as .NET does, JSON without blanks."""
    match value:
        case str():
            return value
        case bool():
            return str(value)
        case None:
            return ""
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def key_of(value: Value) -> str:
    """Return a text that equal values share, whatever the order of their keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def of_json(text: str) -> Value:
    """Return the value of a JSON text.

    :raises FaultError: it is not JSON, or nested too deeply.
    """
    depth = 0
    for found in MARKS.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
        if depth > MAX_NESTING:
            raise limit(f"The JSON text is nested more than {MAX_NESTING} deep.")
    try:
        value: Value = json.loads(QUOTED.sub(_in_quotes, text), parse_int=_integer)
    except ValueError as error:
        raise FaultError(f"The text is not JSON: {error}.") from None
    return value


def _in_quotes(found: re.Match[str]) -> str:
    """Write a text in quotes: ARM's ``json()`` takes apostrophes as well."""
    return found[0] if found[1] is None else json.dumps(found[1].replace("\\'", "'"), ensure_ascii=False)


def _integer(digits: str) -> int | float:
    number = float(digits)
    return int(digits) if abs(number) <= INT_MAX else number


def integer(number: int) -> int:
    """Return a number of 64 bits.

    :raises FaultError: it has more.
    """
    if not -INT_MAX - 1 <= number <= INT_MAX:
        raise FaultError(f"{number} does not fit into 64 bits.")
    return number


def find_key(value: dict[str, Value], key: str) -> str | None:
    """Return how an object spells a key: ARM compares keys in any casing; None if it is not there."""
    if key in value:
        return key
    folded = key.casefold()
    return next((one for one in value if one.casefold() == folded), None)


def node_of(value: Value, place: Place) -> Node:
    """Return a value as a tree whose parts all stand where its expression stands."""
    match value:
        case list():
            return Array(
                place, tuple(node_of(item, _at(place, f"[{index}]")) for index, item in enumerate(value))
            )
        case dict():
            members = []
            for key, item in value.items():
                under = Place(below(place.path, key), place.line, place.column)
                members.append(Member(key, under, node_of(item, under)))
            return Object(place, tuple(members))
        case _:
            return Scalar(place, value)


def _at(place: Place, step: str) -> Place:
    return Place(f"{place.path}{step}", place.line, place.column)


def value_of(node: Node) -> Value:
    """Return what a tree holds; of a key that is there twice, the last one counts."""
    match node:
        case Object():
            return {member.key: value_of(member.value) for member in node.members}
        case Array():
            return [value_of(item) for item in node.items]
        case Scalar():
            return node.value
