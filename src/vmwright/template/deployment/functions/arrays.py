"""Functions of arrays and objects; some take texts as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.functions.function import Function, Kind
from vmwright.template.deployment.values import Value, find_key, key_of, kind_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    _Combine = Callable[[dict[str, Value], dict[str, Value]], dict[str, Value]]

MANY = Kind.ARRAY | Kind.TEXT
HOLDER = Kind.ARRAY | Kind.OBJECT | Kind.TEXT


def array(value: Value) -> list[Value]:
    """Put a value into an array, unless it is one."""
    return value if isinstance(value, list) else [value]


def concat(*values: Value) -> Value:
    """Join arrays, or texts."""
    if values and all(isinstance(value, list) for value in values):
        return [item for value in values if isinstance(value, list) for item in value]
    if any(isinstance(value, list | dict) for value in values):
        raise FaultError("concat() joins arrays, or texts; not both, and no objects.")
    return "".join(text_of(value) for value in values)


def contains(holder: Value, sought: Value) -> bool:
    """Tell whether an array has an item, an object a key (any casing), a text a part."""
    match holder:
        case list():
            return key_of(sought) in {key_of(item) for item in holder}
        case dict():
            return find_key(holder, text_of(sought)) is not None
        case _:
            return text_of(sought) in text_of(holder)


def create_object(*parts: Value) -> dict[str, Value]:
    """Make an object of keys and values in turn."""
    keys, values = parts[::2], parts[1::2]
    if len(keys) != len(values) or not all(isinstance(key, str) for key in keys):
        raise FaultError("createObject() takes keys, which are texts, and values in turn.")
    return {str(key): value for key, value in zip(keys, values, strict=True)}


def empty(value: Value) -> bool:
    """Tell whether there is nothing in an array, object or text; null is empty."""
    return not value


def first(many: list[Value] | str) -> Value:
    """Return the first item (null of an empty array) or character."""
    if isinstance(many, str):
        return many[:1]
    return many[0] if many else None


def last(many: list[Value] | str) -> Value:
    """Return the last item (null of an empty array) or character."""
    if isinstance(many, str):
        return many[-1:]
    return many[-1] if many else None


def flatten(items: list[Value]) -> list[Value]:
    """Put the items of an array's arrays into one."""
    if not all(isinstance(item, list) for item in items):
        raise FaultError("flatten() takes an array of arrays.")
    return [one for item in items if isinstance(item, list) for one in item]


def index_of(many: list[Value] | str, sought: Value) -> int:
    """Return the first position, or -1; texts are searched in any casing, arrays in the exact one."""
    if isinstance(many, str):
        return many.lower().find(text_of(sought).lower())
    keys = [key_of(item) for item in many]
    return keys.index(key_of(sought)) if key_of(sought) in keys else -1


def last_index_of(many: list[Value] | str, sought: Value) -> int:
    """Return the last position, or -1."""
    if isinstance(many, str):
        return many.lower().rfind(text_of(sought).lower())
    keys = [key_of(item) for item in many]
    return len(keys) - 1 - keys[::-1].index(key_of(sought)) if key_of(sought) in keys else -1


def union(*values: Value) -> Value:
    """Return each item once, or objects merged with the objects in them; the last one counts."""
    if all(isinstance(value, list) for value in values):
        items = [item for value in values if isinstance(value, list) for item in value]
        once: dict[str, Value] = {}
        for item in items:
            once.setdefault(key_of(item), item)
        return list(once.values())
    return _objects("union", values, merge)


def merge(one: dict[str, Value], other: dict[str, Value]) -> dict[str, Value]:
    """Merge objects and the objects in them."""
    merged = dict(one)
    for key, value in other.items():
        known = find_key(merged, key) or key
        mine = merged.get(known)
        merged[known] = merge(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


def intersection(*values: Value) -> Value:
    """Return the items that all arrays have, or the keys with equal values that all objects have."""
    if all(isinstance(value, list) for value in values):
        head, *rest = (value for value in values if isinstance(value, list))
        shared = [{key_of(item) for item in value} for value in rest]
        kept = {key: item for item in head if all((key := key_of(item)) in keys for keys in shared)}
        return list(kept.values())
    return _objects("intersection", values, _common)


def _common(one: dict[str, Value], other: dict[str, Value]) -> dict[str, Value]:
    common: dict[str, Value] = {}
    for key, value in one.items():
        if key not in other:
            continue
        theirs = other[key]
        if isinstance(value, dict) and isinstance(theirs, dict):
            common[key] = _common(value, theirs)
        elif key_of(value) == key_of(theirs):
            common[key] = value
    return common


def _objects(name: str, values: tuple[Value, ...], combine: _Combine) -> dict[str, Value]:
    found: dict[str, Value] | None = None
    for value in values:
        if not isinstance(value, dict):
            raise FaultError(f"{name}() takes arrays only or objects only, not {kind_of(value)}.")
        found = value if found is None else combine(found, value)
    return found or {}


def items(value: dict[str, Value]) -> list[Value]:
    """Return an object as an array of ``key`` and ``value``, sorted by key as in Azure."""
    return [{"key": key, "value": value[key]} for key in sorted(value, key=str.casefold)]


def length(value: Value) -> int:
    """Return how many items, keys or characters there are."""
    return len(value) if isinstance(value, list | dict | str) else 0


def shallow_merge(values: list[Value]) -> dict[str, Value]:
    """Merge the objects of an array, but not the objects in them."""
    return dict(_objects("shallowMerge", tuple(values), lambda one, other: one | other))


def skip(many: list[Value] | str, count: int) -> Value:
    """Leave out the first items or characters."""
    return many[max(count, 0) :]


def take(many: list[Value] | str, count: int) -> Value:
    """Return the first items or characters."""
    return many[: max(count, 0)]


FUNCTIONS = (
    Function("array", array, (Kind.ANY,)),
    Function("concat", concat, (Kind.PLAIN | Kind.ARRAY | Kind.NULL,), more=Kind.ANY),
    Function("contains", contains, (HOLDER, Kind.ANY)),
    Function("createArray", lambda *values: list(values), more=Kind.ANY),
    Function("createObject", create_object, more=Kind.ANY),
    Function("empty", empty, (HOLDER | Kind.NULL,)),
    Function("first", first, (MANY,), makes=False),
    Function("flatten", flatten, (Kind.ARRAY,)),
    Function("indexOf", index_of, (MANY, Kind.ANY)),
    Function("intersection", intersection, (Kind.ARRAY | Kind.OBJECT,), more=Kind.ARRAY | Kind.OBJECT),
    Function("items", items, (Kind.OBJECT,)),
    Function("last", last, (MANY,), makes=False),
    Function("lastIndexOf", last_index_of, (MANY, Kind.ANY)),
    Function("length", length, (HOLDER,)),
    Function("objectKeys", lambda value: sorted(value, key=str.casefold), (Kind.OBJECT,)),
    Function("shallowMerge", shallow_merge, (Kind.ARRAY,)),
    Function("skip", skip, (MANY, Kind.INTEGER)),
    Function("take", take, (MANY, Kind.INTEGER)),
    Function("union", union, (Kind.ARRAY | Kind.OBJECT,), more=Kind.ARRAY | Kind.OBJECT),
)
