"""The directory: principals as the Graph shows them, and those of managed identities."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select

from vmwright.state.database import lock
from vmwright.state.service_tables import PrincipalRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from vmwright.arm.ids import ResourceId
    from vmwright.state.database import Database

SERVICE_PRINCIPAL = "ServicePrincipal"
USER = "User"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A principal of the directory.

    :param name: of a managed identity the id of its resource, in lower case but for the identity's own name.
    """

    id: str
    app_id: str
    name: str
    kind: str

    @property
    def is_managed(self) -> bool:
        """Whether it is a managed identity."""
        return self.name.startswith("/")

    @property
    def display_name(self) -> str:
        """What people call it."""
        return self.name.rpartition("/")[2] if self.is_managed else self.name


class Directory:
    """The principals of a service; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def managed(self, identity: ResourceId) -> Entry:
        """Return the principal of a managed identity, made where there is none."""
        with self._database.session() as session:
            lock(session, "principals")
            row = session.scalars(select(PrincipalRow).where(_is_named(identity.key))).one_or_none()
            if row is None:
                row = PrincipalRow(
                    id=str(uuid.uuid4()),
                    app_id=str(uuid.uuid4()),
                    name=identity.key.removesuffix(identity.name.lower()) + identity.name,
                    kind=SERVICE_PRINCIPAL,
                    created_at=datetime.now(UTC),
                )
                session.add(row)
            return _entry(row)

    def forget(self, scope: ResourceId) -> None:
        """Remove the principals of managed identities at a scope that is gone, and below it."""
        below = PrincipalRow.name.startswith(f"{scope.key}/", autoescape=True)
        with self._database.session() as session:
            session.execute(delete(PrincipalRow).where(or_(_is_named(scope.key), below)))

    def find(self, *ids: str) -> list[Entry]:
        """Return the principals of some object ids."""
        return self._found(PrincipalRow.id.in_([one.lower() for one in ids]))

    def service_principals(self, *, app_id: str | None = None, name: str | None = None) -> list[Entry]:
        """Return service principals; None: of any client id, of any display name."""
        conditions = [PrincipalRow.kind == SERVICE_PRINCIPAL]
        if app_id is not None:
            conditions.append(PrincipalRow.app_id == app_id.lower())
        found = self._found(*conditions)
        return [one for one in found if name is None or one.display_name.lower() == name.lower()]

    def users(self, *, name: str | None = None) -> list[Entry]:
        """Return users; None: of any name."""
        conditions = [PrincipalRow.kind == USER]
        if name is not None:
            conditions.append(_is_named(name.lower()))
        return self._found(*conditions)

    def _found(self, *conditions: ColumnElement[bool]) -> list[Entry]:
        with self._database.session() as session:
            rows = session.scalars(select(PrincipalRow).where(*conditions).order_by(PrincipalRow.name))
            return [_entry(row) for row in rows]


def _is_named(lower: str) -> ColumnElement[bool]:
    return func.lower(PrincipalRow.name) == lower


def _entry(row: PrincipalRow) -> Entry:
    return Entry(id=row.id, app_id=row.app_id or "", name=row.name, kind=row.kind)
