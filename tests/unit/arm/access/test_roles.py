"""What roles allow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright.arm.access.custom_roles import read_role
from vmwright.arm.access.roles import (
    CONTRIBUTOR,
    MANAGED_IDENTITY_OPERATOR,
    OWNER,
    READER,
    USER_ACCESS_ADMINISTRATOR,
    Permission,
    Role,
)
from vmwright.arm.http.errors import ArmError

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Images"
ROLE_ID = "9f4bd1ab-4d94-4d4e-8d0b-c9a5a0a7b7c1"
WRITE = "Microsoft.VirtualMachineImages/imageTemplates/write"
RUN = "Microsoft.VirtualMachineImages/imageTemplates/run/action"
READ = "Microsoft.Compute/galleries/images/versions/read"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
# What identities of image builds are given (reference §17).
IMAGE_CREATION = {
    "roleName": "Image Creation",
    "description": "Reads galleries, writes images",
    "type": "CustomRole",
    "assignableScopes": [GROUP],
    "permissions": [
        {
            "actions": [
                "Microsoft.Compute/galleries/read",
                "Microsoft.Compute/galleries/images/read",
                "Microsoft.Compute/galleries/images/versions/read",
                "Microsoft.Compute/galleries/images/versions/write",
                "Microsoft.Compute/images/write",
                "Microsoft.Compute/images/read",
                "Microsoft.Compute/images/delete",
            ],
            "notActions": [],
        }
    ],
}


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        (OWNER, [WRITE, RUN, READ, ASSIGN], []),
        (CONTRIBUTOR, [WRITE, RUN, READ], [ASSIGN, "Microsoft.Authorization/roleDefinitions/delete"]),
        (READER, [READ, "Microsoft.Authorization/roleAssignments/read"], [WRITE, RUN, ASSIGN]),
        (USER_ACCESS_ADMINISTRATOR, [READ, ASSIGN], [WRITE, RUN]),
        (
            MANAGED_IDENTITY_OPERATOR,
            [
                "Microsoft.Resources/deployments/write",
                "Microsoft.Authorization/roleAssignments/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
            ],
            [WRITE, READ, ASSIGN],
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Role) else "",
)
def test_built_in_roles_allow_what_they_allow_in_azure(
    role: Role, allowed: list[str], refused: list[str]
) -> None:
    assert [action for action in allowed if not role.allows(action)] == []
    assert [action for action in refused if role.allows(action)] == []


@pytest.mark.parametrize(
    ("pattern", "action", "is_allowed"),
    [
        ("*", "A/b/read", True),
        ("*/read", "A/b/c/READ", True),
        ("*/read", "A/b/reader", False),
        ("A/*", "A/b/c/write", True),
        ("A/*", "Ab/c/write", False),
        ("A/*/read", "A/b/c/read", True),
        ("A/*/read", "A/read", True),
        ("A/*/b/*", "A/x/b/write", True),
        ("A/*/b/*", "A/b/write", True),
        ("A/b/read", "a/B/Read", True),
        ("A/b/read", "A/b/read/more", False),
        ("ab*ba", "aba", False),
        ("A.b/read", "Axb/read", False),
    ],
)
def test_a_star_stands_for_any_text_and_case_does_not_matter(
    pattern: str, action: str, *, is_allowed: bool
) -> None:
    assert Permission(actions=(pattern,)).allows(action) is is_allowed


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_a_pattern_is_matched_as_a_shells_would_be(pattern: str, action: str) -> None:
    from fnmatch import fnmatchcase

    assert Permission(actions=(pattern,)).allows(action) is fnmatchcase(action, pattern)


def test_a_pattern_of_many_stars_is_matched_at_once() -> None:
    permission = Permission(actions=("*a" * 250 + "b",))
    assert not permission.allows("a" * 100_000)


def test_the_role_for_image_creation_can_be_defined() -> None:
    role = read_role(ROLE_ID.upper(), {"properties": IMAGE_CREATION}, SUBSCRIPTION)
    assert role.allows("Microsoft.Compute/galleries/images/versions/write")
    assert not role.allows("Microsoft.Compute/galleries/write")
    assert role.is_assignable(f"{GROUP}/providers/Microsoft.Compute/galleries/g".lower())
    assert not role.is_assignable(f"{GROUP}2".lower())
    assert not role.is_assignable(f"/subscriptions/{SUBSCRIPTION}")
    assert role.document(SUBSCRIPTION)["id"].endswith(f"roleDefinitions/{ROLE_ID}")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"roleName": ""}, "RoleDefinitionNameMissing"),
        ({"roleName": 1}, "InvalidRoleDefinition"),
        ({"assignableScopes": []}, "InvalidRoleDefinition"),
        ({"assignableScopes": ["/"]}, "InvalidAssignableScope"),
        ({"assignableScopes": [f"/subscriptions/{SUBSCRIPTION}0"]}, "InvalidAssignableScope"),
        ({"permissions": {}}, "InvalidRoleDefinition"),
        ({"permissions": [{"actions": ["*"]}] * 9}, "InvalidRoleDefinition"),
        ({"permissions": [{"actions": [1]}]}, "InvalidActionOrNotAction"),
        ({"permissions": [{"actions": "*"}]}, "InvalidRoleDefinition"),
        ({"permissions": [{"actions": ["*"], "condition": "x"}]}, "InvalidRoleDefinition"),
    ],
)
def test_a_definition_that_is_none_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(ArmError) as caught:
        read_role(ROLE_ID, {"properties": {**IMAGE_CREATION, **change}}, SUBSCRIPTION)
    assert (caught.value.status, caught.value.code) == (400, code)
