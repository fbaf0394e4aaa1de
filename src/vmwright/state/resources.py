"""The ledger of what a process owns on its host: recorded before it is made, struck out once removed.

A row that stands while its owner is gone is what a crash has left; ``workers/reaper.py`` removes it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self

from sqlalchemy import ColumnElement, and_, delete, select, update

from vmwright.marks import owner_token
from vmwright.state.host import boot_id, host_id, lives, started
from vmwright.state.tables import ExecutorRow, ResourceRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from vmwright.state.database import Database


class ResourceKind(StrEnum):
    """What can be owned, and what names it.

    process: the token that it and its children carry (``marks.py``); mount: its folder or file;
    loop: the file behind the loop device; cgroup: its name below each hierarchy; path: a file or folder.
    """

    PROCESS = "process"
    MOUNT = "mount"
    LOOP = "loop"
    CGROUP = "cgroup"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process of this host: its id, when it started (``host.started``) and in which boot."""

    pid: int
    since: str
    boot: str

    @classmethod
    def this(cls) -> Self:
        """Return this process."""
        return cls(os.getpid(), started(os.getpid()), boot_id())

    @property
    def token(self) -> str:
        """What the programs that it has started carry."""
        return owner_token(self.pid, self.since, self.boot)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return lives(self.pid, self.since, self.boot)


# A process that there never was.
NOBODY = Owner(0, "", "")


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing on this host that must be removed again."""

    id: int
    kind: ResourceKind
    identity: str
    build_id: str | None
    owner: Owner


class Observer(Protocol):
    """Who is told of claims as they come and go: before a thing is made, and after it is removed."""

    def claimed(self, kind: ResourceKind, identity: str) -> None:
        """Take note of a claim."""

    def released(self, kind: ResourceKind, identity: str) -> None:
        """Take note of the end of a claim."""


class Ledger:
    """What one build (or one command, without a build) of this process owns."""

    def __init__(
        self, database: Database, build_id: str | None = None, *, observer: Observer | None = None
    ) -> None:
        self._database = database
        self._build_id = build_id
        self._observer = observer

    def claim(self, kind: ResourceKind, identity: str | Path) -> Resource:
        """Record something that is about to be made."""
        owner = Owner.this()
        row = ResourceRow(
            build_id=self._build_id,
            kind=kind,
            identity=str(identity),
            host=host_id(),
            owner_pid=owner.pid,
            owner_started=owner.since,
            boot_id=owner.boot,
            created_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            session.add(row)
            session.flush()
            resource = Resource(row.id, kind, row.identity, row.build_id, owner)
        if self._observer:
            self._observer.claimed(kind, resource.identity)
        return resource

    def release(self, resource: Resource) -> None:
        """Strike out what is removed."""
        with self._database.session() as session:
            session.execute(delete(ResourceRow).where(ResourceRow.id == resource.id))
        if self._observer:
            self._observer.released(resource.kind, resource.identity)

    @contextlib.contextmanager
    def claimed(self, kind: ResourceKind, identity: str | Path) -> Iterator[None]:
        """Hold a claim while the block runs, which removes the thing however it ends."""
        resource = self.claim(kind, identity)
        try:
            yield
        finally:
            self.release(resource)


def leave(session: Session, path: Path, *, host: str, build_id: str) -> None:
    """Record a file or folder of a host that is nobody's any more: who clears up there removes it."""
    session.add(
        ResourceRow(
            build_id=build_id,
            kind=ResourceKind.PATH,
            identity=str(path),
            host=host,
            owner_pid=NOBODY.pid,
            owner_started=NOBODY.since,
            boot_id=NOBODY.boot,
            created_at=datetime.now(UTC),
        )
    )


def left_on_this_host(database: Database) -> list[Resource]:
    """Return what ``leave`` has recorded of this host, and nobody has taken up yet."""
    asked = select(ResourceRow).where(
        ResourceRow.host == host_id(),
        ResourceRow.owner_pid == NOBODY.pid,
        ResourceRow.boot_id == NOBODY.boot,
    )
    with database.session() as session:
        return [_resource(row) for row in session.scalars(asked)]


def abandoned(database: Database) -> list[Resource]:
    """Return what dead processes have left on this host, the newest first (the order of removal)."""
    asked = select(ResourceRow).where(ResourceRow.host == host_id()).order_by(ResourceRow.id.desc())
    with database.session() as session:
        everything = [_resource(row) for row in session.scalars(asked)]
    return [resource for resource in everything if not resource.owner.is_alive]


def dead_owners(database: Database) -> set[Owner]:
    """Return the processes of this boot of this host that own or have run something, and are dead."""
    owners = select(ResourceRow.owner_pid, ResourceRow.owner_started, ResourceRow.boot_id).where(
        ResourceRow.host == host_id(), ResourceRow.boot_id == boot_id()
    )
    executors = select(ExecutorRow.pid, ExecutorRow.started, ExecutorRow.boot_id).where(
        ExecutorRow.host == host_id(), ExecutorRow.boot_id == boot_id()
    )
    with database.session() as session:
        rows = [row for asked in (owners, executors) for row in session.execute(asked)]
    found = {Owner(pid, since, boot) for pid, since, boot in rows}
    return {owner for owner in found if not owner.is_alive}


def has_another_owner(database: Database, resource: Resource) -> bool:
    """Return whether a process that lives has claimed a thing of the same name since."""
    asked = select(ResourceRow).where(
        ResourceRow.host == host_id(),
        ResourceRow.kind == resource.kind,
        ResourceRow.identity == resource.identity,
        ResourceRow.id != resource.id,
    )
    with database.session() as session:
        others = [_resource(row) for row in session.scalars(asked)]
    return any(other.owner.is_alive for other in others)


def take_over(database: Database, resource: Resource) -> Resource | None:
    """Become the owner of what a dead process has left; None where another process was faster."""
    return _change_owner(database, resource, Owner.this())


def hand_back(database: Database, resource: Resource, owner: Owner) -> None:
    """Make a dead process the owner again of what this one has taken over and could not remove."""
    _change_owner(database, resource, owner)


def strike_out(database: Database, resource: Resource) -> bool:
    """Delete the record of what is not there any more; False where another process was faster."""
    with database.session() as session:
        gone = session.execute(delete(ResourceRow).where(_is(resource)).returning(ResourceRow.id))
        return gone.first() is not None


def _change_owner(database: Database, resource: Resource, owner: Owner) -> Resource | None:
    values = {"owner_pid": owner.pid, "owner_started": owner.since, "boot_id": owner.boot}
    with database.session() as session:
        changed = session.execute(
            update(ResourceRow).where(_is(resource)).values(**values).returning(ResourceRow)
        )
        row = changed.scalar_one_or_none()
        return _resource(row) if row else None


def _is(resource: Resource) -> ColumnElement[bool]:
    """Return what finds a resource's row as long as its owner is the same."""
    return and_(
        ResourceRow.id == resource.id,
        ResourceRow.owner_pid == resource.owner.pid,
        ResourceRow.owner_started == resource.owner.since,
        ResourceRow.boot_id == resource.owner.boot,
    )


def _resource(row: ResourceRow) -> Resource:
    owner = Owner(row.owner_pid, row.owner_started, row.boot_id)
    return Resource(row.id, ResourceKind(row.kind), row.identity, row.build_id, owner)
