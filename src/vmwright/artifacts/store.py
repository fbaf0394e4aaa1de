"""The content-addressed store: ``artifacts/sha256/ab/<digest>.<format>``, read-only files with a row each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select, update

from vmwright.artifacts import files
from vmwright.errors import VmwrightError
from vmwright.state.resources import Ledger, ResourceKind
from vmwright.state.tables import ArtifactRow, BuildRow, ImageRow, LayerRow, SourceRow, VersionRow

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from vmwright.artifacts.files import ProgressSink
    from vmwright.state.database import Database

READ_ONLY = 0o444


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file of the store.

    :param digest: the SHA-256 of its bytes, in lower-case hex.
    :param format: of the disk inside, as qemu-img names it: qcow2, raw, vpc ...
    :param created_at: when the store got it.
    """

    digest: str
    path: Path
    size_bytes: int
    format: str
    created_at: datetime


class ArtifactStore:
    """The artifacts of one $VMWRIGHT_HOME.

    Files are given and taken inside a transaction that writes, so that two processes never do both at once.
    """

    def __init__(self, home: Path, database: Database) -> None:
        self._folder = home / "artifacts" / "sha256"
        self._database = database
        self._ledger = Ledger(database)

    async def adopt(self, path: Path, disk_format: str, *, progress: ProgressSink | None = None) -> Artifact:
        """Take a finished file into the store: it is moved there (copied from another file system).

        Adopting bytes that the store has already is no error; ``path`` is gone afterwards in any case.

        :param disk_format: the format of the disk inside, as qemu-img names it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if path.stat().st_dev != self._folder.stat().st_dev:
            return await self._adopt_copy(path, disk_format, progress)
        digest = await files.sha256_of(path, progress=progress)
        await files.flush(path)
        return self._keep(path, digest, disk_format)

    def get(self, digest: str) -> Artifact:
        """Return an artifact.

        :raises VmwrightError: the store has no such artifact, or its file is gone.
        """
        with self._database.session() as session:
            row = session.get(ArtifactRow, digest.lower())
        if row is None:
            raise VmwrightError(f"The store has no artifact {digest}", target=digest)
        artifact = self._artifact(row)
        if not artifact.path.exists():
            raise VmwrightError(
                f"The file of artifact {digest} is gone: {artifact.path}",
                target=str(artifact.path),
                hint="remove what uses it (vmwright sources rm, vmwright images) and make it again",
            )
        return artifact

    def remove_unused(self, digest: str) -> bool:
        """Remove an artifact that nothing uses any more; return whether it is gone."""
        with self._database.session() as session:
            if self._is_used(session, digest):
                return False
            self._delete(session, digest)
        return True

    def build_on(self, digest: str) -> str | None:
        """Return the id of a build that runs on an artifact or has layers on it, or None."""
        with self._database.session() as session:
            return session.scalar(_builds_on(digest).limit(1))

    async def _adopt_copy(self, path: Path, disk_format: str, progress: ProgressSink | None) -> Artifact:
        copy = self._folder / f"{uuid.uuid4()}.part"
        claim = self._ledger.claim(ResourceKind.PATH, copy)
        try:
            await files.copy(path, copy)
            digest = await files.sha256_of(copy, progress=progress)
            await files.flush(copy)
            artifact = self._keep(copy, digest, disk_format)
        finally:
            copy.unlink(missing_ok=True)
            self._ledger.release(claim)
        path.unlink()
        return artifact

    def _keep(self, path: Path, digest: str, disk_format: str) -> Artifact:
        size = path.stat().st_size
        path.chmod(READ_ONLY)
        with self._database.session() as session:
            # An update comes first because it takes the right to write, whether or not the row is there.
            session.execute(update(ArtifactRow).where(ArtifactRow.digest == digest).values(size_bytes=size))
            row = session.get(ArtifactRow, digest)
            if row is None:
                row = ArtifactRow(
                    digest=digest, size_bytes=size, format=disk_format, created_at=datetime.now(UTC)
                )
                session.add(row)
                session.flush()
            artifact = self._artifact(row)
            artifact.path.parent.mkdir(parents=True, exist_ok=True)
            path.replace(artifact.path)
            files.flush_now(artifact.path.parent)
        return artifact

    def _artifact(self, row: ArtifactRow) -> Artifact:
        path = self._folder / row.digest[:2] / f"{row.digest}.{row.format}"
        return Artifact(
            digest=row.digest,
            path=path,
            size_bytes=row.size_bytes,
            format=row.format,
            created_at=row.created_at,
        )

    def _is_used(self, session: Session, digest: str) -> bool:
        """Return whether an image, a version, a source, or a build that runs or has layers on it uses it."""
        users = (
            select(ImageRow.key).where(ImageRow.digest == digest),
            select(SourceRow.id).where(SourceRow.digest == digest),
            select(VersionRow.key).where(VersionRow.digest == digest),
            _builds_on(digest),
        )
        return any(session.execute(user.limit(1)).first() is not None for user in users)

    def _delete(self, session: Session, digest: str) -> None:
        row = session.get(ArtifactRow, digest)
        if row is None:
            return
        session.execute(delete(ArtifactRow).where(ArtifactRow.digest == digest))
        self._artifact(row).path.unlink(missing_ok=True)


def _builds_on(digest: str) -> Select[str]:
    layers = select(LayerRow).where(LayerRow.build_id == BuildRow.id).exists()
    return select(BuildRow.id).where(
        BuildRow.source.contains(digest), or_(BuildRow.ended_at.is_(None), layers)
    )
