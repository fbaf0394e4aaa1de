"""The ledger of what a process owns on this host: recorded before it is made, struck out once removed.

A row that stands while its owner is gone is what a crash has left; ``builds/reaper.py`` removes it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from vmwright.state.tables import ResourceRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.state.database import Database


class ResourceKind(StrEnum):
    """What can be owned, and what names it.

    process: the token that it and its children carry in $VMWRIGHT_RESOURCE; mount: its folder or file;
    loop: the file behind the loop device; cgroup: its name below each hierarchy; path: a file or folder.
    """

    PROCESS = "process"
    MOUNT = "mount"
    LOOP = "loop"
    CGROUP = "cgroup"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing on this host that must be removed again."""

    id: int
    kind: ResourceKind
    identity: str
    build_id: str | None


class Ledger:
    """What one build (or one command, without a build) of this process owns."""

    def __init__(self, database: Database, build_id: str | None = None) -> None:
        self._database = database
        self._build_id = build_id

    def claim(self, kind: ResourceKind, identity: str | Path) -> Resource:
        """Record something that is about to be made."""
        row = ResourceRow(
            build_id=self._build_id,
            kind=kind,
            identity=str(identity),
            owner_pid=os.getpid(),
            owner_started=started(os.getpid()),
            boot_id=boot_id(),
            created_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            session.add(row)
            session.flush()
            return Resource(row.id, kind, row.identity, row.build_id)

    def release(self, resource: Resource) -> None:
        """Strike out what is removed."""
        with self._database.session() as session:
            session.execute(delete(ResourceRow).where(ResourceRow.id == resource.id))

    @contextlib.contextmanager
    def claimed(self, kind: ResourceKind, identity: str | Path) -> Iterator[None]:
        """Hold a claim while the block runs, which removes the thing however it ends."""
        resource = self.claim(kind, identity)
        try:
            yield
        finally:
            self.release(resource)


def abandoned(database: Database) -> list[Resource]:
    """Return what dead processes have left, the newest first (the order in which to remove it)."""
    with database.session() as session:
        rows = session.scalars(select(ResourceRow).order_by(ResourceRow.id.desc())).all()
    return [
        Resource(row.id, ResourceKind(row.kind), row.identity, row.build_id)
        for row in rows
        if not lives(row.owner_pid, row.owner_started, row.boot_id)
    ]


def lives(pid: int, since: str, boot: str) -> bool:
    """Return whether a process that was recorded with its start and the host's boot still runs."""
    return boot == boot_id() and started(pid) == since


def boot_id() -> str:
    """Return what names this boot of the host: processes and mounts do not outlive it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot ("" where it is gone); pids are reused."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
