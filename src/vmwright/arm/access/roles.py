"""Roles: what they allow, and those that ARM has built in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT_IN_ROLE = "BuiltInRole"
CUSTOM_ROLE = "CustomRole"
TYPE = "Microsoft.Authorization/roleDefinitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Actions that are allowed, less those that are not; ``*`` stands for any text, also with slashes in it.

    Actions on data are kept and shown: nothing here asks for them.
    """

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        """Whether it allows an action; case does not matter."""
        return _is_in(action, self.actions) and not _is_in(action, self.not_actions)

    def document(self) -> dict[str, Any]:
        """Return it as ARM shows it."""
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": list(self.not_data_actions),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role.

    :param id: a UUID in lower case, the name of its definition.
    :param assignable: ids in lower case, at or below which it may be assigned; "" for all there is.
    :param properties: as ARM shows them.
    """

    id: str
    name: str
    permissions: tuple[Permission, ...]
    assignable: tuple[str, ...]
    properties: Mapping[str, Any]

    @property
    def is_built_in(self) -> bool:
        """Whether ARM has it of itself."""
        return self.id in BY_ID

    def allows(self, action: str) -> bool:
        """Whether it allows an action."""
        return any(permission.allows(action) for permission in self.permissions)

    def is_assignable(self, scope: str) -> bool:
        """Whether it may be assigned at a scope, an id in lower case."""
        return any(is_within(scope, above) for above in self.assignable)

    def document(self, subscription: str) -> dict[str, Any]:
        """Return its definition; ``subscription`` is "" where it is asked for outside of one."""
        return {
            "properties": dict(self.properties),
            "id": definition_id(self.id, subscription),
            "type": TYPE,
            "name": self.id,
        }


def definition_id(role_id: str, subscription: str) -> str:
    """Return the resource id of a role's definition, the same at each scope of a subscription."""
    within = f"/subscriptions/{subscription}" if subscription else ""
    return f"{within}/providers/{TYPE}/{role_id}"


def is_within(scope: str, above: str) -> bool:
    """Whether a scope is another one or below it; both are ids in lower case, "" for all there is."""
    return scope == above or scope.startswith(f"{above}/")


def is_uuid(text: object) -> bool:
    """Whether a value is a UUID with its hyphens, as names of roles and ids of principals are."""
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _is_in(action: str, patterns: tuple[str, ...]) -> bool:
    lower = action.lower()
    # `a/*/b` is a/b, too: so Managed Identity Operator assigns identities
    forms = {form for pattern in patterns for form in (pattern.lower(), pattern.lower().replace("/*/", "/"))}
    return any(_covers(form, lower) for form in forms)


def _covers(pattern: str, action: str) -> bool:
    """Match from left to right: a regular expression with many ``.*`` could be made to take for ever."""
    first, *others = pattern.split("*")
    if not others:
        return action == pattern
    *between, last = others
    if not action.startswith(first) or not action.endswith(last):
        return False
    at, end = len(first), len(action) - len(last)
    for part in between:
        found = action.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end


def _built_in(role_id: str, name: str, description: str, permission: Permission) -> Role:
    return Role(
        id=role_id,
        name=name,
        permissions=(permission,),
        assignable=("",),
        properties={
            "roleName": name,
            "type": BUILT_IN_ROLE,
            "description": description,
            "assignableScopes": ["/"],
            "permissions": [permission.document()],
        },
    )


_HELPFUL = (
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
)
OWNER = _built_in(
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Owner",
    "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
    Permission(actions=("*",)),
)
CONTRIBUTOR = _built_in(
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Contributor",
    "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, "
    "manage assignments in Azure Blueprints, or share image galleries.",
    Permission(
        actions=("*",),
        not_actions=(
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
        ),
    ),
)
READER = _built_in(
    "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Reader",
    "View all resources, but does not allow you to make any changes.",
    Permission(actions=("*/read",)),
)
USER_ACCESS_ADMINISTRATOR = _built_in(
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "User Access Administrator",
    "Lets you manage user access to Azure resources.",
    Permission(actions=("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*")),
)
MANAGED_IDENTITY_OPERATOR = _built_in(
    "f1a07417-d97a-45cb-824c-7a7467783830",
    "Managed Identity Operator",
    "Read and Assign User Assigned Identity",
    Permission(
        actions=(
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
            *_HELPFUL,
        )
    ),
)
# What users give the identity that reads their scripts (reference §17).
STORAGE_BLOB_DATA_READER = _built_in(
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Blob Data Reader",
    "Allows for read access to Azure Storage blob containers and data",
    Permission(
        actions=(
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ),
        data_actions=("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",),
    ),
)
BUILT_IN = (
    CONTRIBUTOR,
    MANAGED_IDENTITY_OPERATOR,
    OWNER,
    READER,
    STORAGE_BLOB_DATA_READER,
    USER_ACCESS_ADMINISTRATOR,
)
BY_ID = {role.id: role for role in BUILT_IN}
BY_NAME = {role.name.lower(): role for role in BUILT_IN}
