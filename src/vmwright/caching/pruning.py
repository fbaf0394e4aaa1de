"""What is in the cache, and what of it goes when it is too large: that which was taken longest ago first.

The memory snapshots of virtual machines are listed and given up with the layers of steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from vmwright.artifacts.garbage import Collected, size_on_disk
from vmwright.machines.snapshots import Snapshots, bytes_of, used_at
from vmwright.runs.layer_files import LOCK, LayerFiles
from vmwright.state.cache_tables import CachedLayerRow, CachedOutputRow
from vmwright.state.database import lock
from vmwright.state.host import host_id
from vmwright.state.resources import Ledger
from vmwright.state.tables import LayerRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.settings import Settings
    from vmwright.state.database import Database

GIB = 1 << 30


class Kind(StrEnum):
    """What an entry is."""

    LAYER = "layer"
    SNAPSHOT = "memorySnapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A layer of the cache with what was made of it, or a memory snapshot: bytes on disk, and times.

    :param step: its number, name and kind, or what it is instead.
    :param build: that made it, "" for a snapshot, which is no build's.
    :param in_use: whether a build runs on it, or can be resumed from it; of a snapshot nobody knows.
    """

    kind: Kind
    id: str
    parent: str | None
    template: str
    step: str
    size_bytes: int
    made_at: datetime
    used_at: datetime
    build: str
    in_use: bool

    def as_document(self) -> dict[str, object]:
        """Return the entry as JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "template": self.template,
            "step": self.step,
            "sizeBytes": self.size_bytes,
            "madeAt": self.made_at.isoformat(),
            "usedAt": self.used_at.isoformat(),
            "build": self.build,
            "inUse": self.in_use,
        }


def layers(database: Database) -> list[Entry]:
    """Return the layers that the cache has on this host, the newest first."""
    with database.session() as session:
        rows = session.scalars(
            select(CachedLayerRow)
            .where(CachedLayerRow.host == host_id())
            .order_by(CachedLayerRow.made_at.desc(), CachedLayerRow.step.desc())
        ).all()
        outputs = session.execute(
            select(CachedOutputRow.layer, CachedOutputRow.path).where(CachedOutputRow.host == host_id())
        ).all()
        used = set(session.scalars(select(LayerRow.path).where(LayerRow.host == host_id())))
    files: dict[str, list[Path]] = {}
    for layer, path in outputs:
        files.setdefault(layer, []).extend([Path(path)] if path else [])
    return [
        Entry(
            kind=Kind.LAYER,
            id=row.id,
            parent=row.parent,
            template=row.template,
            step=row.name,
            size_bytes=sum(map(size_on_disk, (Path(row.path), *files.get(row.id, ())))),
            made_at=row.made_at,
            used_at=row.used_at,
            build=row.made_by,
            in_use=row.path in used,
        )
        for row in rows
    ]


def snapshots(database: Database, settings: Settings) -> list[Entry]:
    """Return the memory snapshots of the home, the one that was used last first."""
    return [
        Entry(
            kind=Kind.SNAPSHOT,
            id=one.known.key,
            parent=None,
            template="",
            step=f"memory snapshot: {one.known.description}",
            size_bytes=bytes_of(one),
            made_at=one.known.made_at,
            used_at=datetime.fromtimestamp(used_at(one), UTC),
            build="",
            in_use=False,
        )
        for one in Snapshots(settings.home, Ledger(database)).all()
    ]


def prune(database: Database, settings: Settings, *, most_bytes: int) -> Collected:
    """Give up layers and snapshots until the rest fits, and remove files of layers that nothing refers to.

    What a build runs on, or can be resumed from, stays, and so does what such a layer stands on.
    """
    found = [*layers(database), *snapshots(database, settings)]
    return _give_up(found, database, settings, most_bytes)


def bound(database: Database, settings: Settings) -> Collected:
    """Do what ``prune`` does, to the sizes of the configuration: one for layers, one for snapshots."""
    most_of_layers = int(settings.cache.max_size_gib * GIB)
    most_of_snapshots = int(settings.snapshots.max_size_gib * GIB)
    return _give_up(layers(database), database, settings, most_of_layers) + _give_up(
        snapshots(database, settings), database, settings, most_of_snapshots
    )


def _give_up(found: list[Entry], database: Database, settings: Settings, most_bytes: int) -> Collected:
    removed = Collected()
    for entry in list(_to_give_up(found, most_bytes)):
        if entry.kind is Kind.LAYER:
            _give_up_layer(entry, database)
        elif Snapshots(settings.home, Ledger(database)).remove(entry.id):
            removed += Collected(entry.size_bytes, 1)
    return removed + LayerFiles(settings.home, database).sweep()


def _give_up_layer(entry: Entry, database: Database) -> None:
    """Forget a layer, unless another build has taken it, or put one on it, meanwhile."""
    with database.session() as session:
        lock(session, LOCK)
        row = session.get(CachedLayerRow, entry.id)
        above = select(CachedLayerRow.id).where(CachedLayerRow.parent == entry.id)
        if row is None or row.used_at != entry.used_at or session.scalars(above.limit(1)).first():
            return
        session.execute(delete(CachedLayerRow).where(CachedLayerRow.id == entry.id))


def _to_give_up(there: list[Entry], most_bytes: int) -> Iterator[Entry]:
    """Yield the entry that was taken longest ago, of those that none stands on, until the rest fits."""
    left = {entry.id: entry for entry in there}
    size = sum(entry.size_bytes for entry in there)
    while size > most_bytes:
        below = {entry.parent for entry in left.values()}
        ends = [entry for entry in left.values() if entry.id not in below and not entry.in_use]
        if not ends:
            return
        oldest = min(ends, key=lambda entry: (entry.used_at, entry.made_at))
        size -= left.pop(oldest.id).size_bytes
        yield oldest
