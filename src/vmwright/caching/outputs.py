"""What was made of generalized layers: files by their format, and the artifact that images are made of."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from vmwright.runs.layer_files import LOCK
from vmwright.state.cache_tables import CachedLayerRow, CachedOutputRow
from vmwright.state.database import lock
from vmwright.state.host import host_id

if TYPE_CHECKING:
    from datetime import datetime

    from vmwright.state.database import Database

ARTIFACT = "artifact"
# So long a file that nobody has changed since is not read again: its disk may damage it without a word.
CHECKED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedOutput:
    """One thing that was made of a layer; see ``CachedOutputRow``. ``checked_at`` is of one that is found."""

    form: str
    size_bytes: int
    path: Path | None = None
    mtime_ns: int | None = None
    sha256: str | None = None
    data_digest: str | None = None
    checked_at: datetime | None = None

    def seems_whole(self) -> bool:
        """Whether its file is there, of the length and the time that it had; the data may tell otherwise."""
        try:
            found = self.path.stat() if self.path else None
        except OSError:
            return False
        return found is not None and (found.st_size, found.st_mtime_ns) == (self.size_bytes, self.mtime_ns)

    def is_known_whole(self, now: datetime) -> bool:
        """Whether it seems whole, and its data was read not long ago."""
        return self.seems_whole() and self.checked_at is not None and now - self.checked_at < CHECKED_FOR


class CachedOutputs:
    """What was made of the layer with a file of this host; each method is one transaction."""

    def __init__(self, database: Database, layer: Path) -> None:
        self._database = database
        self._layer = select(CachedLayerRow.id).where(
            CachedLayerRow.path == str(layer), CachedLayerRow.host == host_id()
        )

    def now(self) -> datetime:
        """Return the time that ages are counted by."""
        with self._database.session() as session:
            return self._database.now(session)

    def find(self, form: str) -> CachedOutput | None:
        """Return what was made in a form (vhd, qcow2, raw, artifact), None where there is none."""
        asked = select(CachedOutputRow).where(
            CachedOutputRow.layer.in_(self._layer), CachedOutputRow.form == form
        )
        with self._database.session() as session:
            row = session.scalars(asked).one_or_none()
            return None if row is None else _output(row)

    def keep(self, output: CachedOutput) -> bool:
        """Keep something in place of what there was of its form; False where its layer is not kept."""
        with self._database.session() as session:
            lock(session, LOCK)
            layer = session.scalars(self._layer).first()
            if layer is None:
                return False
            now = self._database.now(session)
            mine = CachedOutputRow.layer == layer, CachedOutputRow.form == output.form
            session.execute(delete(CachedOutputRow).where(*mine))
            session.add(
                CachedOutputRow(
                    id=str(uuid.uuid4()),
                    layer=layer,
                    form=output.form,
                    host=host_id(),
                    path=str(output.path) if output.path else None,
                    size_bytes=output.size_bytes,
                    mtime_ns=output.mtime_ns,
                    sha256=output.sha256,
                    data_digest=output.data_digest,
                    made_at=now,
                    checked_at=now,
                )
            )
            return True

    def checked(self, form: str) -> None:
        """Note that the data of a file was read now, and is what it was."""
        mine = CachedOutputRow.layer.in_(self._layer), CachedOutputRow.form == form
        with self._database.session() as session:
            now = self._database.now(session)
            session.execute(update(CachedOutputRow).where(*mine).values(checked_at=now))

    def drop(self, form: str) -> None:
        """Give up what was made in a form; its file goes with the next sweep."""
        mine = CachedOutputRow.layer.in_(self._layer), CachedOutputRow.form == form
        with self._database.session() as session:
            session.execute(delete(CachedOutputRow).where(*mine))


def _output(row: CachedOutputRow) -> CachedOutput:
    return CachedOutput(
        form=row.form,
        size_bytes=row.size_bytes,
        path=Path(row.path) if row.path else None,
        mtime_ns=row.mtime_ns,
        sha256=row.sha256,
        data_digest=row.data_digest,
        checked_at=row.checked_at,
    )
