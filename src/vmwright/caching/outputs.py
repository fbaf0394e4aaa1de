"""What was made of generalized layers: files by their format, and the artifact that images are made of."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from vmwright.runs.layer_files import LOCK
from vmwright.state.cache_tables import CachedLayerRow, CachedOutputRow
from vmwright.state.database import lock
from vmwright.state.host import host_id

if TYPE_CHECKING:
    from vmwright.state.database import Database

ARTIFACT = "artifact"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedOutput:
    """One thing that was made of a layer; see ``CachedOutputRow``."""

    form: str
    size_bytes: int
    path: Path | None = None
    mtime_ns: int | None = None
    sha256: str | None = None
    data_digest: str | None = None


class CachedOutputs:
    """What was made of the layer with a file of this host; each method is one transaction."""

    def __init__(self, database: Database, layer: Path) -> None:
        self._database = database
        self._layer = select(CachedLayerRow.id).where(
            CachedLayerRow.path == str(layer), CachedLayerRow.host == host_id()
        )

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
                    made_at=self._database.now(session),
                )
            )
            return True

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
    )
