"""The roles of a service: those built in, and custom ones in the database. Each method is one transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from vmwright.arm.access import roles
from vmwright.arm.access.custom_roles import read_role
from vmwright.arm.access.roles import Role, definition_id
from vmwright.arm.http.errors import ArmError
from vmwright.state.database import lock
from vmwright.state.service_tables import RoleAssignmentRow, RoleDefinitionRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vmwright.state.database import Database

# Whoever writes roles or assignments has it, so that no role goes that is being assigned.
LOCK = "roles"


class Definitions:
    """Definitions of roles by their UUIDs, the same at each scope."""

    def __init__(self, database: Database, subscription: str) -> None:
        self._database = database
        self._subscription = subscription

    def find(self, role_id: str) -> Role | None:
        """Return a role, None where there is none."""
        if built_in := roles.BY_ID.get(role_id.lower()):
            return built_in
        with self._database.session() as session:
            row = session.get(RoleDefinitionRow, self._key(role_id))
            return None if row is None else self._role(row)

    def find_all(self) -> list[Role]:
        """Return all roles in the order of their names."""
        with self._database.session() as session:
            custom = [self._role(row) for row in session.scalars(select(RoleDefinitionRow))]
        return sorted([*roles.BUILT_IN, *custom], key=lambda role: role.name.lower())

    def put(self, role: Role) -> None:
        """Make a custom role, or change it.

        :raises ArmError: another role has its name.
        """
        with self._database.session() as session:
            lock(session, LOCK)
            self._check_name(session, role)
            row = session.get(RoleDefinitionRow, self._key(role.id))
            if row is None:
                row = RoleDefinitionRow(
                    key=self._key(role.id),
                    resource_id=definition_id(role.id, self._subscription),
                    created_at=datetime.now(UTC),
                )
                session.add(row)
            row.role_name, row.body = role.name, dict(role.properties)

    def remove(self, role_id: str) -> bool:
        """Remove a custom role; False where there is none.

        :raises ArmError: somebody has it.
        """
        key = self._key(role_id)
        with self._database.session() as session:
            lock(session, LOCK)
            row = session.get(RoleDefinitionRow, key)
            if row is None:
                return False
            if session.scalars(select(RoleAssignmentRow.key).where(RoleAssignmentRow.role == key)).first():
                raise ArmError(
                    400,
                    "RoleDefinitionHasAssignments",
                    "There are existing role assignments referencing this role: delete them first.",
                )
            session.delete(row)
            return True

    def _check_name(self, session: Session, role: Role) -> None:
        named = select(RoleDefinitionRow.key).where(
            func.lower(RoleDefinitionRow.role_name) == role.name.lower(),
            RoleDefinitionRow.key != self._key(role.id),
        )
        if role.name.lower() in roles.BY_NAME or session.scalars(named).first():
            raise ArmError(
                409,
                "RoleDefinitionWithSameNameExists",
                f"A custom role with the same name '{role.name}' already exists. Use a different name.",
            )

    def _key(self, role_id: str) -> str:
        return definition_id(role_id, self._subscription).lower()

    def _role(self, row: RoleDefinitionRow) -> Role:
        return read_role(row.key.rpartition("/")[2], row.body, self._subscription)
