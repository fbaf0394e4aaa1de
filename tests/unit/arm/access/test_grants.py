"""Who may do what, by the roles that they have."""

from __future__ import annotations

import pytest

from vmwright.arm.access.actions import Wanted, wanted
from vmwright.arm.access.decisions import Grant, Grants
from vmwright.arm.access.principal import Principal
from vmwright.arm.access.roles import CONTRIBUTOR, OWNER, READER, Permission, Role

GROUP = "/subscriptions/s/resourcegroups/g"
TEMPLATE = f"{GROUP}/providers/n/types/t"
ANNA = Principal(id="a", name="Anna")
STRANGER = Principal(id="b", name="Boris")


def grants(*of_anna: Grant) -> Grants:
    return Grants({"a": of_anna})


@pytest.mark.parametrize("scope", ["", "/subscriptions/s", GROUP, TEMPLATE])
def test_a_role_is_had_at_its_scope_and_below(scope: str) -> None:
    assert grants(Grant(scope, CONTRIBUTOR)).allows(ANNA, "n/types/write", TEMPLATE)
    assert not grants(Grant(scope, CONTRIBUTOR)).allows(STRANGER, "n/types/write", TEMPLATE)


@pytest.mark.parametrize("scope", ["/subscriptions/s2", f"{GROUP}2", f"{TEMPLATE}/children/c"])
def test_a_role_is_not_had_elsewhere(scope: str) -> None:
    assert not grants(Grant(scope, OWNER)).allows(ANNA, "n/types/write", TEMPLATE)


def test_what_one_role_leaves_out_another_may_give() -> None:
    writer = Role(
        id="r",
        name="Writer",
        permissions=(Permission(actions=("Microsoft.Authorization/*",)),),
        assignable=("",),
        properties={},
    )
    both = grants(Grant("", CONTRIBUTOR), Grant(GROUP, writer))
    assert both.allows(ANNA, "Microsoft.Authorization/roleAssignments/write", GROUP)
    assert not both.allows(ANNA, "Microsoft.Authorization/roleAssignments/write", "/subscriptions/s")


def test_roles_of_a_token_hold_everywhere_and_unknown_ones_nowhere() -> None:
    somebody = Principal(id="c", name="Carla", roles=("reader", "Emperor"))
    assert grants().allows(somebody, "n/types/read", TEMPLATE)
    assert not grants().allows(somebody, "n/types/write", TEMPLATE)


@pytest.mark.parametrize(
    ("path", "is_admitted"),
    [
        ("/subscriptions/s", True),
        ("/subscriptions/s/locations", True),
        ("/subscriptions/s/resourcegroups", True),
        ("/subscriptions/s/providers/n/types", True),
        ("/subscriptions/s/providers/n/locations/l/operations/o", True),
        ("/subscriptions/s/resourcegroups/g", True),
        ("/subscriptions/s/resourcegroups/h", False),
        ("/subscriptions/s/resourcegroups/h/providers/n/types", False),
        ("/subscriptions/s2", False),
        ("/subscriptions/s2/providers/n/types", False),
    ],
)
def test_who_has_a_role_in_a_group_gets_to_it_through_the_subscription(
    path: str, *, is_admitted: bool
) -> None:
    want = wanted("GET", tuple(path.split("/")[1:]))
    assert grants(Grant(GROUP, READER)).admits(ANNA, want) is is_admitted


def test_nobody_has_anything_to_begin_with() -> None:
    assert not Grants({}).admits(ANNA, Wanted("n/types/read", TEMPLATE))
