"""Roles that users define: read from what they send, and from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmwright.arm.access.roles import CUSTOM_ROLE, Permission, Role, is_within
from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME = 512
LONGEST_DESCRIPTION = 2048
# Every request of those who have a role is held against all of it.
MOST_PERMISSIONS = 8
MOST_ACTIONS = 1000
LONGEST_ACTION = 512
MOST_SCOPES = 2000
LONGEST_SCOPE = 2048


def read_role(role_id: str, document: Mapping[str, Any], subscription: str) -> Role:
    """Read the definition of a custom role.

    :param document: the body of a request, or a row's: the properties are in it, or it is them.
    :param subscription: the service's.
    :raises ArmError: a property is missing or none that a role may have.
    """
    given = document.get("properties", document)
    if not isinstance(given, dict):
        raise _invalid("The properties of a role definition are an object.")
    name = _text(given, "roleName", LONGEST_NAME)
    if not name.strip():
        raise _invalid("The property 'roleName' is missing.", code="RoleDefinitionNameMissing")
    scopes = _scopes(given, subscription)
    permissions = _permissions(given)
    return Role(
        id=role_id.lower(),
        name=name,
        permissions=permissions,
        assignable=tuple(scope.lower() for scope in scopes),
        properties={
            "roleName": name,
            "type": CUSTOM_ROLE,
            "description": _text(given, "description", LONGEST_DESCRIPTION),
            "assignableScopes": list(scopes),
            "permissions": [permission.document() for permission in permissions],
        },
    )


def _permissions(given: Mapping[str, Any]) -> tuple[Permission, ...]:
    blocks = given.get("permissions")
    if (
        not isinstance(blocks, list)
        or len(blocks) > MOST_PERMISSIONS
        or not all(isinstance(block, dict) for block in blocks)
    ):
        raise _invalid(f"The property 'permissions' is a list of at most {MOST_PERMISSIONS} objects.")
    if any(block.get("condition") for block in blocks):
        raise _invalid("Conditions in permissions are not supported here: leave them out.")
    return tuple(
        Permission(
            actions=_actions(block, "actions"),
            not_actions=_actions(block, "notActions"),
            data_actions=_actions(block, "dataActions"),
            not_data_actions=_actions(block, "notDataActions"),
        )
        for block in blocks
    )


def _actions(block: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = block.get(name) or []
    if not isinstance(given, list) or len(given) > MOST_ACTIONS:
        raise _invalid(f"The property '{name}' is a list of at most {MOST_ACTIONS} actions.")
    for action in given:
        if not isinstance(action, str) or not action.isprintable() or not 0 < len(action) <= LONGEST_ACTION:
            raise _invalid(f"In '{name}', '{action}' is no action.", code="InvalidActionOrNotAction")
    return tuple(given)


def _scopes(given: Mapping[str, Any], subscription: str) -> tuple[str, ...]:
    scopes = given.get("assignableScopes")
    within = f"/subscriptions/{subscription}".lower()
    if not isinstance(scopes, list) or not 0 < len(scopes) <= MOST_SCOPES:
        raise _invalid(f"The property 'assignableScopes' is a list of 1 to {MOST_SCOPES} scopes.")
    for scope in scopes:
        if (
            not isinstance(scope, str)
            or len(scope) > LONGEST_SCOPE
            or not is_within(scope.lower().rstrip("/"), within)
        ):
            raise _invalid(
                f"The role definition is not assignable at '{scope}': its scopes are at or below {within}.",
                code="InvalidAssignableScope",
            )
    return tuple(scope.rstrip("/") for scope in scopes)


def _text(given: Mapping[str, Any], name: str, longest: int) -> str:
    text = given.get(name) or ""
    if not isinstance(text, str) or len(text) > longest:
        raise _invalid(f"The property '{name}' is a text of at most {longest} characters.")
    return text


def _invalid(message: str, *, code: str = "InvalidRoleDefinition") -> ArmError:
    return ArmError(400, code, message)
