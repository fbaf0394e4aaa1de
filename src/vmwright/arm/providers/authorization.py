"""Microsoft.Authorization: definitions and assignments of roles, at every scope."""

from __future__ import annotations

import asyncio
import itertools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vmwright.arm.access.actions import Wanted
from vmwright.arm.access.assignments import Assignment, at_scope
from vmwright.arm.access.custom_roles import read_role
from vmwright.arm.access.roles import BY_ID, is_uuid, is_within
from vmwright.arm.conditions import conditions
from vmwright.arm.http.answer import Answer, listed, ok
from vmwright.arm.http.errors import ArmError, group_not_found
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION, Route
from vmwright.arm.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.access.access import Access
    from vmwright.arm.access.roles import Role
    from vmwright.arm.http.call import Call
    from vmwright.arm.service import Service

NAMESPACE = "Microsoft.Authorization"
WRITE_DEFINITIONS = "Microsoft.Authorization/roleDefinitions/write"
DELETE_DEFINITIONS = "Microsoft.Authorization/roleDefinitions/delete"
PRINCIPAL_TYPES = {"serviceprincipal": "ServicePrincipal", "user": "User", "group": "Group"}
LONGEST_DESCRIPTION = 1024
# Ids are keys, and there is an end to those of a PostgreSQL.
LONGEST_SCOPE_BYTES = 2048
ROLE_ID = re.compile(
    r"(?:/subscriptions/[^/]+(?:/.+)?)?/providers/Microsoft\.Authorization/roleDefinitions/(?P<id>[^/]+)",
    re.IGNORECASE,
)
# How deep resources lie in others: versions of image definitions of galleries.
DEEPEST = 3
ENDING = ("providers", NAMESPACE, "roleAssignments")


def routes(service: Service, access: Access) -> Iterator[Route]:
    """Give the routes of Microsoft.Authorization."""
    of_definitions = DefinitionCalls(service.subscription, access)
    of_assignments = AssignmentCalls(service, access)
    for scope in scopes():
        many = f"{scope}/providers/{NAMESPACE}/roleDefinitions"
        # the roles that are known outside of subscriptions are those that everybody knows
        reading = None if scope else ""
        yield Route(method="GET", pattern=many, handler=of_definitions.all, action=reading)
        yield Route(method="GET", pattern=f"{many}/{{id}}", handler=of_definitions.one, action=reading)
        yield Route(method="PUT", pattern=f"{many}/{{id}}", handler=of_definitions.put)
        yield Route(method="DELETE", pattern=f"{many}/{{id}}", handler=of_definitions.delete)
        many = f"{scope}/providers/{NAMESPACE}/roleAssignments"
        yield Route(method="GET", pattern=many, handler=of_assignments.all)
        yield Route(method="GET", pattern=f"{many}/{{id}}", handler=of_assignments.one)
        yield Route(method="PUT", pattern=f"{many}/{{id}}", handler=of_assignments.put)
        yield Route(method="DELETE", pattern=f"{many}/{{id}}", handler=of_assignments.delete)


class DefinitionCalls:
    """What is asked of role definitions."""

    def __init__(self, subscription: str, access: Access) -> None:
        self._subscription = subscription
        self._definitions = access.definitions
        self._decisions = access.decisions

    async def all(self, call: Call) -> Answer:
        """List the roles that may be assigned at a scope; ``atScopeAndBelow()``: or below it."""
        asked = conditions(call.query, {"rolename", "type", "atscopeandbelow"})
        scope = _scope(call).lower()
        found = [
            role
            for role in await asyncio.to_thread(self._definitions.find_all)
            if role.is_assignable(scope)
            or ("atscopeandbelow" in asked and any(is_within(one, scope) for one in role.assignable))
        ]
        if (name := asked.get("rolename")) is not None:
            found = [role for role in found if role.name.lower() == name.lower()]
        if (kind := asked.get("type")) is not None:
            found = [role for role in found if role.properties["type"].lower() == kind.lower()]
        return listed([self._document(role, scope) for role in found])

    async def one(self, call: Call) -> Answer:
        """Show a role."""
        scope = _scope(call).lower()
        role = await asyncio.to_thread(self._definitions.find, call.names["id"])
        if role is None or not (scope or role.is_built_in):
            raise _no_definition(call.names["id"])
        return ok(self._document(role, scope))

    async def put(self, call: Call) -> Answer:
        """Make or change a custom role; its maker must be allowed to at each scope that it has."""
        role_id = call.names["id"]
        if not is_uuid(role_id):
            raise ArmError(
                400, "InvalidRoleDefinitionId", f"The role definition's name '{role_id}' is no UUID."
            )
        _check_custom(role_id)
        role = read_role(role_id, call.document(), self._subscription)
        existing = await asyncio.to_thread(self._definitions.find, role_id)
        await self._require(call, WRITE_DEFINITIONS, role, *([existing] if existing else []))
        await asyncio.to_thread(self._definitions.put, role)
        self._decisions.changed()
        # also of a change: clients take nothing else
        return Answer(status=201, body=self._document(role, _scope(call)))

    async def delete(self, call: Call) -> Answer:
        """Remove a custom role that nobody has."""
        role_id = call.names["id"]
        _check_custom(role_id)
        role = await asyncio.to_thread(self._definitions.find, role_id)
        if role is None:
            return Answer(status=204)
        await self._require(call, DELETE_DEFINITIONS, role)
        if not await asyncio.to_thread(self._definitions.remove, role_id):
            return Answer(status=204)
        self._decisions.changed()
        return ok(self._document(role, _scope(call)))

    async def _require(self, call: Call, action: str, *roles: Role) -> None:
        for scope in dict.fromkeys(itertools.chain.from_iterable(role.assignable for role in roles)):
            await self._decisions.require(call.principal, Wanted(action, scope))

    def _document(self, role: Role, scope: str) -> dict[str, Any]:
        return role.document(self._subscription if scope else "")


class AssignmentCalls:
    """What is asked of role assignments."""

    def __init__(self, service: Service, access: Access) -> None:
        self._service = service
        self._assignments = access.assignments
        self._definitions = access.definitions
        self._directory = access.directory
        self._decisions = access.decisions

    async def all(self, call: Call) -> Answer:
        """List the assignments at a scope, above it and below it.

        ``atScope()``: none below it; ``principalId eq``, ``assignedTo()``: those of one principal.
        """
        asked = conditions(call.query, {"atscope", "principalid", "assignedto"})
        found = at_scope(
            await asyncio.to_thread(self._assignments.find_all),
            _scope(call).lower(),
            with_below="atscope" not in asked,
            principal_ids={value.lower() for name, value in asked.items() if name != "atscope"},
        )
        return listed([self._document(one, call) for one in found])

    async def one(self, call: Call) -> Answer:
        """Show an assignment."""
        found = await asyncio.to_thread(self._assignments.find, _scope(call), call.names["id"])
        if found is None:
            raise ArmError(
                404,
                "RoleAssignmentNotFound",
                f"The role assignment '{call.names['id']}' is not found.",
            )
        return ok(self._document(found, call))

    async def put(self, call: Call) -> Answer:
        """Give a principal a role."""
        given = await asyncio.to_thread(self._read, call)
        made, is_new = await asyncio.to_thread(self._assignments.put, given)
        self._decisions.changed()
        return Answer(status=201 if is_new else 200, body=self._document(made, call))

    async def delete(self, call: Call) -> Answer:
        """Take a role from a principal."""
        gone = await asyncio.to_thread(self._assignments.remove, _scope(call), call.names["id"])
        if gone is None:
            return Answer(status=204)
        self._decisions.changed()
        return ok(self._document(gone, call))

    def _read(self, call: Call) -> Assignment:
        scope, name = _scope(call), call.names["id"]
        if not is_uuid(name):
            raise ArmError(
                400,
                "InvalidRoleAssignmentId",
                f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
            )
        self._check_scope(scope)
        properties = call.document().get("properties")
        if not isinstance(properties, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content has no object 'properties'.")
        if properties.get("condition"):
            raise ArmError(
                400,
                "InvalidCondition",
                "Conditions of role assignments are not supported here: leave the condition out, or give a "
                "narrower role or scope.",
            )
        description = properties.get("description") or ""
        if not isinstance(description, str) or len(description) > LONGEST_DESCRIPTION:
            raise ArmError(
                400,
                "InvalidRoleAssignmentDescription",
                f"The property 'description' is a text of at most {LONGEST_DESCRIPTION} characters.",
            )
        principal_id, principal_type = self._principal(properties)
        return Assignment(
            scope=scope,
            name=name.lower(),
            role_id=self._role(properties, scope).id,
            principal_id=principal_id,
            principal_type=principal_type,
            description=description,
            created_by=call.principal.id,
            created_at=datetime.now(UTC),
        )

    def _check_scope(self, scope: str) -> None:
        if len(scope.encode()) > LONGEST_SCOPE_BYTES:
            raise ArmError(
                400, "InvalidScope", f"A scope has at most {LONGEST_SCOPE_BYTES} bytes; this one has more."
            )
        # a resource may be in any provider's tables; in a group that there is, no stranger can make it
        parts = scope.split("/")
        if len(parts) > len(("", "subscriptions", "its id", "resourceGroups")):
            if parts[3].lower() != "resourcegroups":
                return
            if self._service.store.find(ResourceId(parts[2], parts[4])) is None:
                raise group_not_found(parts[4])

    def _role(self, properties: dict[str, Any], scope: str) -> Role:
        given = properties.get("roleDefinitionId")
        found = ROLE_ID.fullmatch(given) if isinstance(given, str) else None
        if found is None:
            raise ArmError(400, "InvalidRoleDefinitionId", f"The role definition ID '{given}' is not valid.")
        role = self._definitions.find(found["id"])
        if role is None or not role.is_assignable(scope.lower()):
            raise ArmError(
                400,
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{found['id']}' does not exist, or it is not "
                f"assignable at '{scope or '/'}'.",
            )
        return role

    def _principal(self, properties: dict[str, Any]) -> tuple[str, str]:
        given, kind = properties.get("principalId"), properties.get("principalType")
        if not isinstance(given, str) or not is_uuid(given):
            raise ArmError(
                400, "InvalidPrincipalId", "A valid principal ID must be provided for role assignment."
            )
        wanted = PRINCIPAL_TYPES.get(str(kind).lower()) if kind else None
        if kind and wanted is None:
            raise ArmError(400, "InvalidPrincipalType", f"There is no type of principals '{kind}'.")
        known = self._directory.find(given)
        if not known and wanted is None:
            raise ArmError(
                400,
                "PrincipalNotFound",
                f"Principal {given} does not exist in the directory {self._service.tenant}. Check that you "
                "have the correct principal ID. If it is another issuer's, specify its principalType, too.",
            )
        if known and wanted not in {None, known[0].kind}:
            raise ArmError(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{given}' has type '{known[0].kind}', which is different from specified "
                f"PrincipalType '{wanted}'.",
            )
        return given.lower(), known[0].kind if known else str(wanted)

    def _document(self, assignment: Assignment, call: Call) -> dict[str, Any]:
        return assignment.document(self._service.subscription if _scope(call) else "")


def scopes() -> Iterator[str]:
    """Give the patterns of the scopes that roles are had at."""
    yield ""
    for around in (SUBSCRIPTION, GROUP):
        yield around
        inside = f"{around}/providers/{{namespace}}"
        for depth in range(DEEPEST):
            inside += f"/{{type{depth}}}/{{name{depth}}}"
            yield inside


def _scope(call: Call) -> str:
    """Return what a path has before its last provider, as the client wrote it."""
    length = len(ENDING) + (1 if "id" in call.names else 0)
    return "".join(f"/{part}" for part in call.path.split("/")[1:-length])


def _check_custom(role_id: str) -> None:
    if role := BY_ID.get(role_id.lower()):
        raise ArmError(
            403, "RoleDefinitionIsBuiltIn", f"The role '{role.name}' is built in and stays as it is."
        )


def _no_definition(role_id: str) -> ArmError:
    return ArmError(
        404,
        "RoleDefinitionDoesNotExist",
        f"The specified role definition with ID '{role_id}' does not exist.",
    )
