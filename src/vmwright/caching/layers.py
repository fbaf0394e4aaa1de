"""The layers of the cache: found by their keys, kept as builds make them, given up."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from vmwright.artifacts.facts import Provisioning
from vmwright.caching.outputs import CHECKED_FOR
from vmwright.runs.layer_files import LOCK
from vmwright.runs.records import decoded, encoded
from vmwright.state.cache_tables import CachedLayerRow
from vmwright.state.database import lock
from vmwright.state.host import host_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from sqlalchemy.orm import Session

    from vmwright.runs.layer import Layer
    from vmwright.state.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedLayer:
    """A layer that a build has left on this host, with what a later one must know to go on from it.

    :param parent: the id of the one that it stands on, None for the source's disk.
    :param ctime_ns: when its file was changed last; ``data_digest`` (``artifacts.sums``): what it had then.
    :param checked_at: when that was read last.
    :param baseline: see ``CachedLayerRow``; ``made_by`` is the build's id.
    """

    id: str
    parent: str | None
    path: Path
    size_bytes: int
    ctime_ns: int
    data_digest: str
    step: int
    deprovisioning: bytes | None
    provisioning: Provisioning | None
    baseline: str | None
    network_used: bool
    made_by: str
    made_at: datetime
    checked_at: datetime

    def seems_whole(self) -> bool:
        """Whether its file is there and nobody has changed it; the data on the disk may tell otherwise."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_size, found.st_ctime_ns) == (self.size_bytes, self.ctime_ns)

    def is_known_whole(self, now: datetime) -> bool:
        """Whether it seems whole, and its data was read not long ago."""
        return self.seems_whole() and now - self.checked_at < CHECKED_FOR

    def is_too_old(self, now: datetime, most: timedelta) -> bool:
        """Whether what its step fetched may have changed since."""
        return self.network_used and now - self.made_at > most


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a layer to be kept is of.

    :param key: None for one that belongs to the layer above it.
    :param name: that of the step, for people.
    """

    key: str | None
    template: str
    name: str
    build_id: str
    baseline: str | None
    network_used: bool


class CachedLayers:
    """The layers that the cache has on this host; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: str, on: str | None) -> tuple[CachedLayer, ...]:
        """Return the layers that lead to the disk with a key, from the one that stands on ``on``.

        :param on: the id of the layer that was taken before, None for the source's disk.
        :returns: nothing where there is none, or it stands on something else.
        """
        with self._database.session() as session:
            asked = select(CachedLayerRow).where(CachedLayerRow.key == key, CachedLayerRow.host == host_id())
            row = session.scalars(asked.order_by(CachedLayerRow.made_at.desc()).limit(1)).one_or_none()
            found = [] if row is None else [row]
            while found and found[0].parent != on:
                below = session.get(CachedLayerRow, found[0].parent) if found[0].parent else None
                if below is None or below.key is not None:
                    return ()
                found.insert(0, below)
            return tuple(map(_layer, found))

    def has(self, path: Path) -> bool:
        """Return whether a file is that of a layer which is kept."""
        with self._database.session() as session:
            return _id_of(session, path) is not None

    def now(self) -> datetime:
        """Return the time that ages are counted by."""
        with self._database.session() as session:
            return self._database.now(session)

    def used(self, ids: Iterable[str]) -> None:
        """Note that a build takes layers now."""
        with self._database.session() as session:
            now = self._database.now(session)
            session.execute(
                update(CachedLayerRow).where(CachedLayerRow.id.in_(list(ids))).values(used_at=now)
            )

    def keep(self, layer: Layer, data_digest: str, origin: Origin, *, ctime_ns: int, on: Path | None) -> bool:
        """Keep a layer that a build has committed, in place of an older one of its key.

        :param data_digest: of its file; see ``artifacts.sums``.
        :param ctime_ns: that of its file before it was read for the digest.
        :param on: the file that it stands on, None for the source's disk.
        :returns: whether it is kept: not where what it stands on is not, or its file is gone.
        """
        with self._database.session() as session:
            lock(session, LOCK)
            parent = None if on is None else _id_of(session, on)
            if (on is not None and parent is None) or not layer.path.exists():
                return False
            if origin.key is not None:
                older = CachedLayerRow.key == origin.key, CachedLayerRow.host == host_id()
                session.execute(delete(CachedLayerRow).where(*older))
            now = self._database.now(session)
            session.add(
                CachedLayerRow(
                    id=str(uuid.uuid4()),
                    key=origin.key,
                    parent=parent,
                    host=host_id(),
                    path=str(layer.path),
                    size_bytes=layer.size_bytes,
                    ctime_ns=ctime_ns,
                    data_digest=data_digest,
                    template=origin.template,
                    step=layer.step,
                    name=origin.name,
                    deprovisioning=encoded(layer.deprovisioning),
                    provisioning=layer.provisioning,
                    baseline=origin.baseline,
                    network_used=origin.network_used,
                    made_by=origin.build_id,
                    made_at=now,
                    used_at=now,
                    checked_at=now,
                )
            )
            return True

    def checked(self, layer_id: str, *, ctime_ns: int) -> None:
        """Note that the data of a layer's file was read now, and is what it was.

        :param ctime_ns: that of its file before it was read.
        """
        with self._database.session() as session:
            now = self._database.now(session)
            mine = update(CachedLayerRow).where(CachedLayerRow.id == layer_id)
            session.execute(mine.values(checked_at=now, ctime_ns=ctime_ns))

    def drop(self, layer_id: str) -> None:
        """Give up a layer with all that stand on it; its file goes with the next sweep."""
        with self._database.session() as session:
            session.execute(delete(CachedLayerRow).where(CachedLayerRow.id == layer_id))


def _id_of(session: Session, path: Path) -> str | None:
    asked = select(CachedLayerRow.id).where(
        CachedLayerRow.path == str(path), CachedLayerRow.host == host_id()
    )
    return session.scalars(asked.limit(1)).first()


def _layer(row: CachedLayerRow) -> CachedLayer:
    return CachedLayer(
        id=row.id,
        parent=row.parent,
        path=Path(row.path),
        size_bytes=row.size_bytes,
        ctime_ns=row.ctime_ns,
        data_digest=row.data_digest,
        step=row.step,
        deprovisioning=decoded(row.deprovisioning),
        provisioning=Provisioning(row.provisioning) if row.provisioning else None,
        baseline=row.baseline,
        network_used=row.network_used,
        made_by=row.made_by,
        made_at=row.made_at,
        checked_at=row.checked_at,
    )
