"""The differences that what-if tells."""

from __future__ import annotations

from typing import Any

import pytest

from vmwright.arm.providers.deployments.comparing import deltas


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"location": "westus"}, {"location": "West US"}),
        ({"properties": {"a": 1, "filled": 2}}, {"properties": {"a": 1}}),
        ({"properties": {"Id": "/subscriptions/S/x"}}, {"properties": {"id": "/subscriptions/s/X"}}),
        ({"name": "a/b", "id": "/x"}, {"name": "b", "id": "/y", "apiVersion": "1", "type": "t"}),
        ({"properties": {}}, {"properties": {"none": {}, "nothing": []}}),
        ({"tags": {"a": "1"}}, {"properties": {}}),
    ],
)
def test_what_means_the_same_is_no_difference(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert deltas(before, after) == []


def test_booleans_are_no_numbers() -> None:
    (change,) = deltas({"a": 1}, {"a": True})
    assert (change["propertyChangeType"], change["before"], change["after"]) == ("Modify", 1, True)


def test_items_of_arrays_are_told_by_their_places() -> None:
    (change,) = deltas({"a": [1, {"b": 1}, 3]}, {"a": [1, {"b": 2}]})
    assert change["propertyChangeType"] == "Array"
    first, second = change["children"]
    assert (first["path"], first["propertyChangeType"]) == ("1", "Modify")
    assert first["children"][0]["path"] == "b"
    assert (second["path"], second["propertyChangeType"], second["before"]) == ("2", "Delete", 3)
