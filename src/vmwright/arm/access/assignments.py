"""Who has which role where."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, or_, select

from vmwright.arm.access.definitions import LOCK
from vmwright.arm.access.roles import OWNER, definition_id, is_within
from vmwright.arm.http.errors import ArmError
from vmwright.arm.times import short
from vmwright.state.database import lock
from vmwright.state.service_tables import RoleAssignmentRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from vmwright.arm.access.roles import Role
    from vmwright.arm.ids import ResourceId
    from vmwright.state.database import Database

TYPE = "Microsoft.Authorization/roleAssignments"
# The principal that gives roles before there is any.
NOBODY = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A role that somebody has at a scope and below.

    :param scope: an id as it was written, "" for all there is.
    :param name: a UUID in lower case; ``role_id`` and ``principal_id`` likewise.
    :param principal_type: ServicePrincipal, User or Group.
    """

    scope: str
    name: str
    role_id: str
    principal_id: str
    principal_type: str
    description: str
    created_by: str
    created_at: datetime

    @property
    def id(self) -> str:
        """Its resource id."""
        return f"{self.scope}/providers/{TYPE}/{self.name}"

    def document(self, subscription: str) -> dict[str, Any]:
        """Return it as ARM shows it; ``subscription`` is "" where it is asked for outside of one.

        Its role has then the id that the list of roles has there: clients compare the two.
        """
        at = short(self.created_at)
        return {
            "properties": {
                "roleDefinitionId": definition_id(self.role_id, subscription),
                "principalId": self.principal_id,
                "principalType": self.principal_type,
                "scope": self.scope or "/",
                "condition": None,
                "conditionVersion": None,
                "createdOn": at,
                "updatedOn": at,
                "createdBy": self.created_by,
                "updatedBy": self.created_by,
                "delegatedManagedIdentityResourceId": None,
                "description": self.description or None,
            },
            "id": self.id,
            "type": TYPE,
            "name": self.name,
        }


class Assignments:
    """The assignments of a service; each method is one transaction."""

    def __init__(self, database: Database, subscription: str) -> None:
        self._database = database
        self._subscription = subscription

    def find(self, scope: str, name: str) -> Assignment | None:
        """Return the assignment of a name at a scope, None where there is none."""
        with self._database.session() as session:
            row = session.get(RoleAssignmentRow, _key(scope, name))
            return None if row is None else _assignment(row)

    def find_all(self) -> list[Assignment]:
        """Return all assignments in the order of their ids."""
        with self._database.session() as session:
            rows = session.scalars(select(RoleAssignmentRow).order_by(RoleAssignmentRow.key))
            return [_assignment(row) for row in rows]

    def put(self, assignment: Assignment) -> tuple[Assignment, bool]:
        """Give somebody a role; of one that is there already, the description may change.

        :returns: the assignment, and whether it is new.
        :raises ArmError: the name stands for another assignment, or another name for the same one.
        """
        with self._database.session() as session:
            lock(session, LOCK)
            row = session.get(RoleAssignmentRow, _key(assignment.scope, assignment.name))
            if row is not None:
                _check_same(_assignment(row), assignment)
                row.description = assignment.description
                return _assignment(row), False
            self._check_new(session, assignment)
            row = self._row(assignment)
            session.add(row)
            return _assignment(row), True

    def grant(self, session: Session, role: Role, *, principal_id: str, principal_type: str) -> None:
        """Give somebody a role for all there is, within a transaction that makes the principal."""
        assignment = Assignment(
            scope="",
            name=str(uuid.uuid4()),
            role_id=role.id,
            principal_id=principal_id,
            principal_type=principal_type,
            description="",
            created_by=NOBODY,
            created_at=datetime.now(UTC),
        )
        session.add(self._row(assignment))

    def remove(self, scope: str, name: str) -> Assignment | None:
        """Take a role from somebody; None where there is no such assignment.

        :raises ArmError: nobody would be left who could give roles in the subscription.
        """
        with self._database.session() as session:
            lock(session, LOCK)
            row = session.get(RoleAssignmentRow, _key(scope, name))
            if row is None:
                return None
            self._check_not_last(session, row)
            session.delete(row)
            return _assignment(row)

    def forget(self, scope: ResourceId) -> None:
        """Remove the assignments at a scope that is gone, and below it."""
        below = RoleAssignmentRow.scope.startswith(f"{scope.key}/", autoescape=True)
        with self._database.session() as session:
            lock(session, LOCK)
            session.execute(delete(RoleAssignmentRow).where(or_(RoleAssignmentRow.scope == scope.key, below)))

    def _row(self, assignment: Assignment) -> RoleAssignmentRow:
        return RoleAssignmentRow(
            key=assignment.id.lower(),
            resource_id=assignment.id,
            scope=assignment.scope.lower(),
            role=definition_id(assignment.role_id, self._subscription).lower(),
            principal_id=assignment.principal_id,
            principal_type=assignment.principal_type,
            description=assignment.description,
            created_by=assignment.created_by,
            created_at=assignment.created_at,
        )

    def _check_new(self, session: Session, assignment: Assignment) -> None:
        same = select(RoleAssignmentRow.key).where(
            RoleAssignmentRow.scope == assignment.scope.lower(),
            RoleAssignmentRow.role == definition_id(assignment.role_id, self._subscription).lower(),
            RoleAssignmentRow.principal_id == assignment.principal_id,
        )
        if key := session.scalars(same).first():
            raise ArmError(
                409,
                "RoleAssignmentExists",
                "The role assignment already exists. The ID of the existing role assignment is "
                f"{key.rpartition('/')[2]}.",
            )

    def _check_not_last(self, session: Session, row: RoleAssignmentRow) -> None:
        tops = ("", f"/subscriptions/{self._subscription}".lower())
        owner = definition_id(OWNER.id, self._subscription).lower()
        if row.role != owner or row.scope not in tops:
            return
        others = select(RoleAssignmentRow.key).where(
            RoleAssignmentRow.role == owner,
            RoleAssignmentRow.scope.in_(tops),
            RoleAssignmentRow.key != row.key,
        )
        if session.scalars(others).first() is None:
            raise ArmError(
                400,
                "CannotDeleteLastRbacAdminAssignment",
                "Cannot delete the last RBAC admin assignment: make somebody else an Owner first.",
            )


def at_scope(
    assignments: list[Assignment], scope: str, *, with_below: bool, principal_ids: Collection[str]
) -> list[Assignment]:
    """Return the assignments that concern a scope.

    :param scope: an id in lower case; those above it count, too.
    :param with_below: whether those below it do.
    :param principal_ids: whose; none: everybody's.
    """
    return [
        one
        for one in assignments
        if (is_within(scope, one.scope.lower()) or (with_below and is_within(one.scope.lower(), scope)))
        and all(one.principal_id == principal_id for principal_id in principal_ids)
    ]


def _check_same(existing: Assignment, given: Assignment) -> None:
    if (existing.role_id, existing.principal_id) != (given.role_id, given.principal_id):
        raise ArmError(
            409,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )


def _key(scope: str, name: str) -> str:
    return f"{scope}/providers/{TYPE}/{name}".lower()


def _assignment(row: RoleAssignmentRow) -> Assignment:
    name = row.key.rpartition("/")[2]
    return Assignment(
        scope=row.resource_id[: -len(f"/providers/{TYPE}/{name}")],
        name=name,
        role_id=row.role.rpartition("/")[2],
        principal_id=row.principal_id,
        principal_type=row.principal_type,
        description=row.description,
        created_by=row.created_by,
        created_at=row.created_at,
    )
