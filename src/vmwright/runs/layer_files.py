"""The files of layers: one folder for the builds of a database, so that several may refer to one file.

Chains name their files by absolute paths: a file never moves, and is never written once it has a row. Each
file is claimed in the ledger before it is made, and has a row before the claim is struck out; what has
neither is garbage. Rows of a chain are given up from its end, so that none stands on a file without one.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from vmwright.artifacts.garbage import Collected, removed_file
from vmwright.state.cache_tables import CachedLayerRow, CachedOutputRow
from vmwright.state.database import lock
from vmwright.state.host import host_id
from vmwright.state.resources import ResourceKind
from vmwright.state.tables import LayerRow, ResourceRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from vmwright.state.database import Database

FOLDER = "layers"
# What is locked while a row for a file that is there is written, or a file without one is removed.
LOCK = "layer files"


class LayerFiles:
    """The layers that a database has in a home: ``layers/<id of the database>/<uuid>.qcow2``."""

    def __init__(self, home: Path, database: Database) -> None:
        self._database = database
        self.folder = home / FOLDER / database.id

    def new(self, ending: str = "qcow2") -> Path:
        """Return a path for a layer, or for what is made of one: whoever makes it claims it first."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.folder / f"{uuid.uuid4()}.{ending}"

    def remove_unused(self, paths: Iterable[Path]) -> Collected:
        """Remove those files that nothing refers to."""
        removed = Collected()
        for path in paths:
            with self._database.session() as session:
                removed += remove_unused(session, path)
        return removed

    def sweep(self) -> Collected:
        """Remove all files that nothing refers to."""
        there = set(map(str, self.folder.glob("*")))
        with self._database.session() as session:
            known = {path for asked in _references() for path in session.scalars(asked)}
        return self.remove_unused(map(Path, sorted(there - known)))


def remove_unused(session: Session, path: Path) -> Collected:
    """Remove the file of a layer unless something refers to it, as a transaction sees that."""
    lock(session, LOCK)
    session.flush()
    found = (asked.where(asked.selected_columns[0] == str(path)).exists() for asked in _references())
    is_used = any(session.execute(select(*found)).one())
    return Collected() if is_used else removed_file(path)


def folders_of_others(home: Path, database: Database) -> list[Path]:
    """Return where other databases have layers in a home."""
    return [folder for folder in (home / FOLDER).glob("*") if folder.name != database.id]


def _references() -> tuple[Select[Any], ...]:
    """Return what finds the paths of all files of this host that something refers to.

    A claim is struck out as its row is written: they are read in this order.
    """
    return (
        select(ResourceRow.identity).where(
            ResourceRow.host == host_id(), ResourceRow.kind == ResourceKind.PATH
        ),
        select(LayerRow.path).where(LayerRow.host == host_id()),
        select(CachedLayerRow.path).where(CachedLayerRow.host == host_id()),
        select(CachedOutputRow.path).where(CachedOutputRow.host == host_id()),
    )
