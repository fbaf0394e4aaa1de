"""Functions of integers, and comparison."""

from __future__ import annotations

import re

from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.functions.function import Function, Kind
from vmwright.template.deployment.values import Value, integer, key_of, kind_of

DIGITS = re.compile(r"\s*[-+]?[0-9]{1,19}\s*", re.ASCII)
MAX_RANGE = 10_000
COMPARED = Kind.INTEGER | Kind.TEXT | Kind.NUMBER
TWO = (Kind.INTEGER, Kind.INTEGER)


def divided(number: int, by: int) -> int:
    """Divide towards zero, as .NET does."""
    if by == 0:
        raise FaultError("div(): the divisor is 0.")
    quotient = abs(number) // abs(by)
    return integer(quotient if (number < 0) == (by < 0) else -quotient)


def remainder(number: int, by: int) -> int:
    """Return what is left, with the sign of the dividend, as in .NET."""
    if by == 0:
        raise FaultError("mod(): the divisor is 0.")
    rest = abs(number) % abs(by)
    return -rest if number < 0 else rest


def to_integer(value: Value) -> int:
    """Turn a text of digits into an integer."""
    if isinstance(value, str):
        if not DIGITS.fullmatch(value):
            raise FaultError(f"int(): `{value[:40]}` is no integer.")
        return integer(int(value))
    if isinstance(value, float):
        if not value.is_integer():
            raise FaultError(f"int(): {value} is no integer.")
        return integer(int(value))
    return value if isinstance(value, int) else 0


def counted(start: int, count: int) -> list[Value]:
    """Return ``count`` integers from ``start`` on."""
    if not 0 <= count <= MAX_RANGE:
        raise FaultError(f"range(): the count is {count}; it must be from 0 to {MAX_RANGE}.")
    integer(start + count)
    return list(range(start, start + count))


def _numbers(name: str, arguments: tuple[Value, ...]) -> list[int]:
    first = arguments[0]
    items = first if isinstance(first, list) and len(arguments) == 1 else list(arguments)
    numbers = [item for item in items if isinstance(item, int) and not isinstance(item, bool)]
    if len(numbers) != len(items) or not numbers:
        raise FaultError(f"{name}() takes integers, or one array of integers that is not empty.")
    return numbers


def least(*arguments: Value) -> int:
    """Return the least of integers."""
    return min(_numbers("min", arguments))


def greatest(*arguments: Value) -> int:
    """Return the greatest of integers."""
    return max(_numbers("max", arguments))


def compare(name: str, one: Value, other: Value) -> int:
    """Return -1, 0 or 1; texts are compared by their characters' numbers."""
    if isinstance(one, str) and isinstance(other, str):
        return (one > other) - (one < other)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return (one > other) - (one < other)
    raise FaultError(f"{name}() compares two integers or two texts, not {kind_of(one)} and {kind_of(other)}.")


def equal(one: Value, other: Value) -> bool:
    """Tell whether two values are equal, casing included; a boolean is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return type(one) is type(other) and key_of(one) == key_of(other)
    return one == other


FUNCTIONS = (
    Function("add", lambda one, other: integer(one + other), TWO),
    Function("sub", lambda one, other: integer(one - other), TWO),
    Function("mul", lambda one, other: integer(one * other), TWO),
    Function("div", divided, TWO),
    Function("mod", remainder, TWO),
    Function("int", to_integer, (Kind.INTEGER | Kind.TEXT | Kind.NUMBER,)),
    Function("min", least, (Kind.INTEGER | Kind.ARRAY,), more=Kind.INTEGER),
    Function("max", greatest, (Kind.INTEGER | Kind.ARRAY,), more=Kind.INTEGER),
    Function("range", counted, TWO),
    Function("equals", equal, (Kind.ANY, Kind.ANY)),
    Function("less", lambda one, other: compare("less", one, other) < 0, (COMPARED, COMPARED)),
    Function(
        "lessOrEquals", lambda one, other: compare("lessOrEquals", one, other) <= 0, (COMPARED, COMPARED)
    ),
    Function("greater", lambda one, other: compare("greater", one, other) > 0, (COMPARED, COMPARED)),
    Function(
        "greaterOrEquals",
        lambda one, other: compare("greaterOrEquals", one, other) >= 0,
        (COMPARED, COMPARED),
    ),
)
