"""The resources that ARM keeps: each method is one transaction."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from vmwright.state.database import lock
from vmwright.state.service_tables import ArmResourceRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from vmwright.arm.ids import ResourceId
    from vmwright.state.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource as it is kept; ``body`` is all but id, name, type, location and tags.

    :param api_version: that of the request which wrote it last.
    :param created_by: the object id of a principal.
    """

    id: str
    type: str
    name: str
    location: str
    api_version: str
    created_by: str
    created_at: datetime
    changed_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> Mapping[str, Any]:
        """Its properties; {} where it has none."""
        found: Mapping[str, Any] = self.body.get("properties", {})
        return found

    def document(self) -> dict[str, Any]:
        """Return the resource as ARM shows most of them."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "location": self.location,
            "tags": dict(self.tags),
            **self.body,
        }


class ResourceStore:
    """Resources and resource groups by their ids, which are compared without regard to case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, resource_id: ResourceId) -> Resource | None:
        """Return a resource, None where there is none."""
        with self._database.session() as session:
            row = session.get(ArmResourceRow, resource_id.key)
            return None if row is None else _resource(row)

    def find_all(
        self,
        *,
        kind: str | None = None,
        subscription: str,
        group: str | None = None,
        after: str = "",
        most: int | None = None,
    ) -> list[Resource]:
        """Return resources in the order of their ids.

        :param kind: a type, as its provider writes it; None: all but ARM's own (groups, deployments) and what
            is in other resources.
        :param group: None: of the whole subscription.
        :param after: an id in lower case: those after it only; ``most`` so many of them, None for all.
        """
        found: list[ColumnElement[bool]] = [ArmResourceRow.subscription == subscription.lower()]
        if kind is not None:
            found.append(ArmResourceRow.type == kind)
        else:
            is_arms = ArmResourceRow.type.startswith(f"{ARMS_OWN}/")
            found += [~is_arms, ArmResourceRow.parent == ""]
        if group is not None:
            found.append(ArmResourceRow.resource_group == group.lower())
        if after:
            found.append(ArmResourceRow.key > after)
        with self._database.session() as session:
            return [_resource(row) for row in session.scalars(_ordered(*found).limit(most))]

    def find_named(self, kind: str, name: str) -> Resource | None:
        """Return a resource of a type whose names are unique in all subscriptions; None where there is none.

        :param kind: as its provider writes it; ``name`` likewise.
        """
        asked = select(ArmResourceRow).where(ArmResourceRow.type == kind, ArmResourceRow.name == name)
        with self._database.session() as session:
            row = session.scalars(asked).first()
            return None if row is None else _resource(row)

    def children(self, parent: ResourceId) -> list[Resource]:
        """Return the resources directly in another one."""
        with self._database.session() as session:
            return [_resource(row) for row in session.scalars(_ordered(ArmResourceRow.parent == parent.key))]

    def put(
        self,
        resource_id: ResourceId,
        *,
        kind: str,
        location: str,
        body: Mapping[str, Any],
        tags: Mapping[str, str],
        api_version: str,
        principal: str,
        check: Callable[[Resource | None], None] = lambda _there: None,
    ) -> tuple[Resource, bool]:
        """Make a resource, or put it in the place of the one of its id, whose casing and date of birth stay.

        :param check: is given what is there, and raises where that may not be replaced.
        :returns: the resource, and whether it is new.
        """
        with self.changing(resource_id) as session:
            row = session.get(ArmResourceRow, resource_id.key)
            check(None if row is None else _resource(row))
            is_new, now = row is None, datetime.now(UTC)
            if row is None:
                row = ArmResourceRow(
                    key=resource_id.key,
                    resource_id=str(resource_id),
                    type=kind,
                    name=resource_id.name,
                    subscription=resource_id.subscription.lower(),
                    resource_group=resource_id.group.lower(),
                    parent=resource_id.parent.key if len(resource_id.names) > 1 else "",
                    created_by=principal,
                    created_at=now,
                )
                session.add(row)
            row.location, row.body, row.tags = location, dict(body), dict(tags)
            row.api_version, row.changed_at = api_version, now
            return _resource(row), is_new

    def update(self, resource_id: ResourceId, **columns: object) -> Resource | None:
        """Change columns (body, tags, location) of a resource; None where there is none."""
        with self.changing(resource_id) as session:
            row = session.get(ArmResourceRow, resource_id.key)
            if row is None:
                return None
            for name, value in columns.items():
                setattr(row, name, value)
            row.changed_at = datetime.now(UTC)
            return _resource(row)

    def revise(
        self, resource_id: ResourceId, revise: Callable[[Resource], Mapping[str, object]]
    ) -> Resource | None:
        """Change columns of a resource by what it is; None where there is none.

        :param revise: returns the columns; nothing is changed where it raises.
        """
        with self.changing(resource_id) as session:
            row = session.get(ArmResourceRow, resource_id.key)
            if row is None:
                return None
            for name, value in revise(_resource(row)).items():
                setattr(row, name, value)
            row.changed_at = datetime.now(UTC)
            return _resource(row)

    def remove(self, resource_id: ResourceId) -> bool:
        """Remove a resource and all in it; False where there is none."""
        with self.changing(resource_id) as session:
            below = (
                ArmResourceRow.subscription == resource_id.subscription.lower(),
                ArmResourceRow.resource_group == resource_id.group.lower(),
                ArmResourceRow.key.startswith(f"{resource_id.key}/", autoescape=True),
            )
            session.execute(delete(ArmResourceRow).where(*below))
            gone = delete(ArmResourceRow).where(ArmResourceRow.key == resource_id.key)
            return session.scalars(gone.returning(ArmResourceRow.key)).one_or_none() is not None

    @contextlib.contextmanager
    def changing(self, resource_id: ResourceId) -> Iterator[Session]:
        """Open a transaction in which nobody else changes a resource."""
        with self._database.session() as session:
            lock(session, f"arm {resource_id.key}")
            yield session


ARMS_OWN = "Microsoft.Resources"
GROUP_TYPE = f"{ARMS_OWN}/resourceGroups"


def _ordered(*conditions: ColumnElement[bool]) -> Select[ArmResourceRow]:
    return select(ArmResourceRow).where(*conditions).order_by(ArmResourceRow.key)


def _resource(row: ArmResourceRow) -> Resource:
    return Resource(
        id=row.resource_id,
        type=row.type,
        name=row.name,
        location=row.location,
        tags=row.tags,
        body=row.body,
        api_version=row.api_version,
        created_by=row.created_by,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
