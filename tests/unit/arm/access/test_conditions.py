"""Filters of lists, as clients send them."""

from __future__ import annotations

import pytest

from vmwright.arm.conditions import conditions
from vmwright.arm.http.errors import ArmError

KNOWN = {"rolename", "atscope", "assignedto", "principalid", "serviceprincipalnames"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("roleName eq 'Reader'", {"rolename": "Reader"}),
        ("roleName eq 'Anna''s role and more'", {"rolename": "Anna's role and more"}),
        ("atScope()", {"atscope": ""}),
        ("atScope() and assignedTo('x')", {"atscope": "", "assignedto": "x"}),
        ("principalId eq 'p' AND atScope() ", {"principalid": "p", "atscope": ""}),
        ("servicePrincipalNames/any(c:c eq 'x')", {"serviceprincipalnames": "x"}),
        ("roleName eq ''", {"rolename": ""}),
    ],
)
def test_a_filter_is_read(text: str, expected: dict[str, str]) -> None:
    assert conditions({"$filter": text}, KNOWN) == expected


@pytest.mark.parametrize(
    "text",
    [
        "roleName ne 'x'",
        "name eq 'x'",
        "roleName eq x",
        "atScope() or assignedTo('x')",
        "atScope()atScope()",
        "atScope() and",
        "roleName eq 'x",
        "roleName eq '\0'",
        "roleName eq '" + "x" * 5000 + "'",
        "' " * 2000,
    ],
)
def test_a_filter_that_is_not_understood_is_refused_rather_than_left_out(text: str) -> None:
    with pytest.raises(ArmError) as caught:
        conditions({"$filter": text}, KNOWN)
    assert caught.value.code == "UnsupportedQuery"
