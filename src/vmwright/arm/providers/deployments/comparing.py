"""What a resource would be after a deployment, beside what it is: the differences, as what-if shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmwright.template.deployment.values import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.template.deployment.values import Value

CREATE, MODIFY, DELETE, ARRAY = "Create", "Modify", "Delete", "Array"
# Ids and locations are written in several ways, and mean the same.
ANY_CASE = frozenset({"id", "location", "type", "name"})
# What the service does not add to, so that what is not said goes.
WHOLE = frozenset({"tags"})
NOT_COMPARED = frozenset({"id", "apiversion", "name", "type"})

Delta = dict[str, Any]


def deltas(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Delta]:
    """Return what a template changes of a resource.

    What the template does not say is what the service fills in: that is no difference, but for tags.

    :param before: the resource as it is; ``after``: as the template has it.
    """
    compared = {key: value for key, value in after.items() if key.lower() not in NOT_COMPARED}
    return list(_of_objects(before, compared, is_whole=False))


def _of_objects(before: Mapping[str, Any], after: Mapping[str, Any], *, is_whole: bool) -> Iterator[Delta]:
    spelled = {key.lower(): key for key in before}
    for key, value in after.items():
        there = spelled.get(key.lower())
        if there is None or before[there] is None:
            if not _is_nothing(value):
                yield _delta(key, CREATE, after=value)
        elif changed := _of_values(key, before[there], value):
            yield changed
    if is_whole:
        said = {key.lower() for key in after}
        for key, value in before.items():
            if key.lower() not in said:
                yield _delta(key, DELETE, before=value)


def _of_values(path: str, before: Value, after: Value) -> Delta | None:
    match before, after:
        case dict(), dict():
            children = list(_of_objects(before, after, is_whole=path.lower() in WHOLE))
            return _delta(path, MODIFY, children=children) if children else None
        case list(), list():
            children = list(_of_arrays(before, after))
            return _delta(path, ARRAY, children=children) if children else None
    if _same(path, before, after):
        return None
    return _delta(path, MODIFY, before=before, after=after)


def _of_arrays(before: list[Value], after: list[Value]) -> Iterator[Delta]:
    for index in range(max(len(before), len(after))):
        path = str(index)
        if index >= len(before):
            yield _delta(path, CREATE, after=after[index])
        elif index >= len(after):
            yield _delta(path, DELETE, before=before[index])
        elif changed := _of_values(path, before[index], after[index]):
            yield changed


def _same(path: str, before: Value, after: Value) -> bool:
    if not (isinstance(before, str) and isinstance(after, str)):
        return key_of(before) == key_of(after)
    is_location = path.lower() == "location"
    is_any_case = path.lower() in ANY_CASE or before.startswith("/subscriptions/")
    one, other = (text.replace(" ", "") if is_location else text for text in (before, after))
    return one.lower() == other.lower() if is_any_case else one == other


def _is_nothing(value: object) -> bool:
    return isinstance(value, dict | list) and not value


def _delta(
    path: str,
    kind: str,
    *,
    before: object = None,
    after: object = None,
    children: list[Delta] | None = None,
) -> Delta:
    return {
        "path": path,
        "propertyChangeType": kind,
        "before": before,
        "after": after,
        "children": children,
    }
