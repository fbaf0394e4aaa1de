"""Functions of logic, those that leave arguments unevaluated, and those that take lambdas."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.functions.function import Function, Kind, Style
from vmwright.template.deployment.syntax import Call, Literal
from vmwright.template.deployment.values import Value, find_key, kind_of, text_of

if TYPE_CHECKING:
    from vmwright.template.deployment.site import Site
    from vmwright.template.deployment.syntax import Expression

WORDS = {"true": True, "1": True, "false": False, "0": False}


def boolean(value: Value) -> bool:
    """Turn a text or an integer into a boolean."""
    if isinstance(value, str):
        if value.lower() not in WORDS:
            raise FaultError(f"bool(): `{value[:40]}` is neither true nor false.")
        return WORDS[value.lower()]
    return bool(value)


def _tested(site: Site, name: str, expression: Expression) -> bool:
    value = site.value(expression)
    if not isinstance(value, bool):
        raise FaultError(f"{name}() takes booleans, not {kind_of(value)}.")
    return value


def choose(site: Site, condition: Expression, yes: Expression, no: Expression) -> Value:
    """Evaluate one of two arguments only."""
    return site.value(yes if _tested(site, "if", condition) else no)


def conjunction(site: Site, *expressions: Expression) -> bool:
    """Tell whether all are true; what follows a false one is not evaluated."""
    return all(_tested(site, "and", expression) for expression in expressions)


def disjunction(site: Site, *expressions: Expression) -> bool:
    """Tell whether one is true; what follows it is not evaluated."""
    return any(_tested(site, "or", expression) for expression in expressions)


def coalesce(site: Site, *expressions: Expression) -> Value:
    """Return the first value that is not null."""
    values = (site.value(expression) for expression in expressions)
    return next((value for value in values if value is not None), None)


def try_get(value: Value, *keys: Value) -> Value:
    """Go down keys and indices; null where one is not there."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            known = find_key(value, key)
            value = None if known is None else value[known]
        elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            return None
    return value


class Lambda:
    """``lambda('x', ...)``: names for values, and what is made of them."""

    def __init__(self, site: Site, function: str, expression: Expression, *counts: int) -> None:
        is_lambda = isinstance(expression, Call) and expression.name.lower() == "lambda"
        parts = expression.arguments if isinstance(expression, Call) and is_lambda else ()
        names = [part.value for part in parts[:-1] if isinstance(part, Literal)]
        if not parts or len(names) != len(parts) - 1 or len(names) not in counts:
            wanted = " or ".join(map(str, counts))
            raise FaultError(f"{function}() takes a lambda() of {wanted} name{'s' * (counts != (1,))}.")
        self._site = site
        self._names = [text_of(name).casefold() for name in names]
        self._body = parts[-1]

    def __call__(self, *values: Value) -> Value:
        """Evaluate the body for values, of which the first ones have names."""
        return self._site.named(dict(zip(self._names, values, strict=False))).value(self._body)


def _array(site: Site, function: str, expression: Expression) -> list[Value]:
    value = site.value(expression)
    if not isinstance(value, list):
        raise FaultError(f"{function}() takes an array, not {kind_of(value)}.")
    return value


def mapped(site: Site, items: Expression, body: Expression) -> list[Value]:
    """Return what a lambda makes of each item."""
    make = Lambda(site, "map", body, 1, 2)
    return [make(item, index) for index, item in enumerate(_array(site, "map", items))]


def filtered(site: Site, items: Expression, body: Expression) -> list[Value]:
    """Return the items for which a lambda is true."""
    test = Lambda(site, "filter", body, 1, 2)
    return [item for index, item in enumerate(_array(site, "filter", items)) if test(item, index) is True]


def reduced(site: Site, items: Expression, start: Expression, body: Expression) -> Value:
    """Fold an array."""
    fold = Lambda(site, "reduce", body, 2, 3)
    values = enumerate(_array(site, "reduce", items))
    return functools.reduce(lambda sum_, one: fold(sum_, one[1], one[0]), values, site.value(start))


def ordered(site: Site, items: Expression, body: Expression) -> list[Value]:
    """Sort by a lambda that tells whether its first argument comes first."""
    first = Lambda(site, "sort", body, 2)

    def order(one: Value, other: Value) -> int:
        if first(one, other) is True:
            return -1
        return 1 if first(other, one) is True else 0

    return sorted(_array(site, "sort", items), key=functools.cmp_to_key(order))


def to_object(site: Site, items: Expression, key: Expression, value: Expression | None = None) -> Value:
    """Make an object of an array, with a lambda for the keys and one for the values."""
    name = Lambda(site, "toObject", key, 1)
    make = Lambda(site, "toObject", value, 1) if value is not None else None
    return {text_of(name(item)): make(item) if make else item for item in _array(site, "toObject", items)}


def grouped(site: Site, items: Expression, key: Expression) -> Value:
    """Make an object of arrays, one for each key that a lambda gives."""
    name = Lambda(site, "groupBy", key, 1, 2)
    groups: dict[str, Value] = {}
    for index, item in enumerate(_array(site, "groupBy", items)):
        group = groups.setdefault(text_of(name(item, index)), [])
        if isinstance(group, list):
            group.append(item)
    return groups


def map_values(site: Site, holder: Expression, body: Expression) -> Value:
    """Return an object with what a lambda makes of its values."""
    make = Lambda(site, "mapValues", body, 1)
    value = site.value(holder)
    if not isinstance(value, dict):
        raise FaultError(f"mapValues() takes an object, not {kind_of(value)}.")
    return {key: make(item) for key, item in value.items()}


def lambda_variable(site: Site, name: str) -> Value:
    """Return what a lambda has named."""
    return site.lambda_variable(name)


def fail(message: str) -> Value:
    """End the evaluation with the template's own message."""
    raise FaultError(f"fail(): {message}")


def _not_here(_: Site, *__: Expression) -> Value:
    raise FaultError(
        "lambda() stands only in the functions that take one.", hint="map, filter, reduce, sort, toObject"
    )


LAZY = Style.EXPRESSIONS
FUNCTIONS = (
    Function("and", conjunction, (Kind.ANY, Kind.ANY), more=Kind.ANY, style=LAZY),
    Function("or", disjunction, (Kind.ANY, Kind.ANY), more=Kind.ANY, style=LAZY),
    Function("not", lambda value: not value, (Kind.BOOLEAN,)),
    Function("if", choose, (Kind.ANY, Kind.ANY, Kind.ANY), style=LAZY, makes=False),
    Function("coalesce", coalesce, (Kind.ANY,), more=Kind.ANY, style=LAZY, makes=False),
    Function("bool", boolean, (Kind.BOOLEAN | Kind.INTEGER | Kind.TEXT,)),
    Function("true", lambda: True),
    Function("false", lambda: False),
    Function("null", lambda: None),
    Function(
        "tryGet", try_get, (Kind.ANY, Kind.TEXT | Kind.INTEGER), more=Kind.TEXT | Kind.INTEGER, makes=False
    ),
    Function("fail", fail, (Kind.TEXT,)),
    Function("lambda", _not_here, (Kind.ANY,), more=Kind.ANY, style=LAZY),
    Function("lambdaVariables", lambda_variable, (Kind.TEXT,), style=Style.SITE, makes=False),
    Function("map", mapped, (Kind.ANY, Kind.ANY), style=LAZY),
    Function("filter", filtered, (Kind.ANY, Kind.ANY), style=LAZY),
    Function("reduce", reduced, (Kind.ANY, Kind.ANY, Kind.ANY), style=LAZY),
    Function("sort", ordered, (Kind.ANY, Kind.ANY), style=LAZY),
    Function("toObject", to_object, (Kind.ANY, Kind.ANY, Kind.ANY), needs=2, style=LAZY),
    Function("groupBy", grouped, (Kind.ANY, Kind.ANY), style=LAZY),
    Function("mapValues", map_values, (Kind.ANY, Kind.ANY), style=LAZY),
)
