"""The content-addressed store: ``artifacts/sha256/ab/<digest>.<format>``, read-only files with a row each.

Where hosts share a store (``shared_store.py``), it has the bytes of every artifact before there is a row, and
the files of a host are copies of them: made when they are wanted, removed when there are too many.
A home that has known other databases has their files elsewhere (``homes.py``).
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select, update

from vmwright.artifacts import files
from vmwright.artifacts.duplicates import READ_ONLY
from vmwright.artifacts.homes import folder_of
from vmwright.artifacts.locks import locked
from vmwright.artifacts.together import Together
from vmwright.errors import StoreError, VmwrightError
from vmwright.state.database import lock
from vmwright.state.resources import Ledger, ResourceKind
from vmwright.state.tables import ArtifactRow, BuildRow, ImageRow, InputRow, LayerRow, SourceRow, VersionRow

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from vmwright.artifacts.files import ProgressSink
    from vmwright.artifacts.shared_store import SharedStore
    from vmwright.state.database import Database


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

    def __init__(self, home: Path, database: Database, shared: SharedStore | None = None) -> None:
        self.shared = shared
        self._home = home
        self._database = database
        self._ledger = Ledger(database)

    @functools.cached_property
    def folder(self) -> Path:
        """Where the files of this database are, and of no other one.

        :raises StoreError: the home cannot be read or written.
        """
        return folder_of(self._home, self._database)

    async def adopt(self, path: Path, disk_format: str, *, progress: ProgressSink | None = None) -> Artifact:
        """Take a finished file into the store: it is moved there (copied from another file system).

        Adopting bytes that the store has already is no error; ``path`` is gone afterwards in any case.

        :param disk_format: the format of the disk inside, as qemu-img names it.
        :raises StoreError: the store that hosts share cannot be used; ``path`` is still there then.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if path.stat().st_dev != self.folder.stat().st_dev:
            return await self._adopt_copy(path, disk_format, progress)
        digest = await _flushed(path, progress)
        await self._share(path, digest, progress)
        return self._keep(path, digest, disk_format)

    def record(self, digest: str) -> Artifact:
        """Return what is known of an artifact, whether or not its file is on this host.

        :raises VmwrightError: there is no such artifact.
        """
        return self._artifact(self._row(digest))

    def get(self, digest: str) -> Artifact:
        """Return an artifact whose file is on this host.

        :raises VmwrightError: there is no such artifact, or its file is not here.
        """
        row = self._row(digest)
        artifact = self._artifact(row)
        if not artifact.path.exists():
            raise self._not_here(row, artifact)
        return artifact

    async def fetch(self, digest: str, *, progress: ProgressSink | None = None) -> Artifact:
        """Return an artifact, with its file: that of this host, or one from the store that hosts share.

        One that is on this host alone, because it is older than the store, goes there now.

        :param progress: given bytes done and bytes in all, of what goes over the network.
        :raises VmwrightError: there is no such artifact, its file is nowhere to be had, or the store fails.
        """
        row = self._row(digest)
        artifact = self._artifact(row)
        # by its time of access, garbage.py knows which copy was wanted last
        if _touch(artifact.path):
            await self._share_older(row, artifact, progress)
        elif self.shared and row.shared:
            await self._download(self.shared, artifact, progress)
        else:
            raise self._not_here(row, artifact)
        return artifact

    async def share(self, path: Path) -> str | None:
        """Put a file of a build, such as a layer, where other hosts find it; return its SHA-256.

        Without a store that hosts share nothing is done. A row with the digest is what keeps it there.

        :raises StoreError: the store cannot be used.
        """
        return await self.shared.put(path) if self.shared else None

    async def is_shared(self, digest: str | None) -> bool:
        """Return whether other hosts find a file of a build.

        :raises StoreError: the store cannot be used.
        """
        return bool(self.shared and digest and await self.shared.has(digest))

    async def fetch_file(
        self, digest: str, destination: Path, *, progress: ProgressSink | None = None
    ) -> None:
        """Make a file of what ``share`` put there; it is whole when its name appears.

        :raises StoreError: no store is configured, it cannot be used, or it has no such file.
        """
        if self.shared is None:
            raise StoreError(
                f"sha256:{digest} is on another host",
                target=str(destination),
                hint="[store] url in vmwright.toml lets hosts share files",
            )
        await self.shared.fetch(digest, destination, ledger=self._ledger, progress=progress)

    async def unshare(self, digest: str) -> None:
        """Remove a file of a build from the store, unless a row refers to it or may do so soon.

        :raises StoreError: the store cannot be used.
        """
        if self.shared and not self.is_referenced(digest):
            now = await self.shared.now()
            await self.shared.remove_stale(digest, now=now, is_referenced=self.is_referenced)

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Put a small file of a build where other hosts find it (``builds/<id>/...``), if there is a store.

        :raises StoreError: the store cannot be used.
        """
        if self.shared:
            await self.shared.put_bytes(key, data)

    async def get_bytes(self, key: str) -> bytes | None:
        """Return what ``put_bytes`` put there, None where it is not there.

        :raises StoreError: the store cannot be used.
        """
        return await self.shared.get_bytes(key) if self.shared else None

    async def delete_bytes(self, key: str) -> None:
        """Remove a small file; there being none is no error.

        :raises StoreError: the store cannot be used.
        """
        if self.shared:
            await self.shared.delete_bytes(key)

    async def delete_prefix(self, prefix: str) -> None:
        """Remove the small files below a prefix, such as ``builds/<id>``.

        :raises StoreError: the store cannot be used.
        """
        if self.shared:
            await self.shared.delete_prefix(prefix)

    def referenced(self) -> frozenset[str]:
        """Return the digests of all that the shared store must keep."""
        with self._database.session() as session:
            found = [digest for asked in _references() for digest in session.scalars(asked)]
        return frozenset(digest for digest in found if digest)

    def is_referenced(self, digest: str) -> bool:
        """Return whether the shared store must keep a file."""
        with self._database.session() as session:
            return any(
                session.execute(asked.where(asked.selected_columns[0] == digest).limit(1)).first()
                for asked in _references()
            )

    def remove_unused(self, digest: str) -> bool:
        """Remove an artifact that nothing uses any more; return whether it is gone.

        Copies on other hosts and in the store that they share go with the next clean-up (``garbage.py``).
        """
        with self._database.session() as session:
            lock(session, digest)
            # whoever refers to it in a transaction that is under way is waited for
            session.get(ArtifactRow, digest, with_for_update=True)
            if self._is_used(session, digest):
                return False
            self._delete(session, digest)
        return True

    def build_on(self, digest: str) -> str | None:
        """Return the id of a build that runs on an artifact or has layers on it, or None."""
        with self._database.session() as session:
            return session.scalar(_builds_on(digest).limit(1))

    async def _adopt_copy(self, path: Path, disk_format: str, progress: ProgressSink | None) -> Artifact:
        copy = self.folder / f"{uuid.uuid4()}.part"
        claim = self._ledger.claim(ResourceKind.PATH, copy)
        try:
            await files.copy(path, copy)
            digest = await _flushed(copy, progress)
            await self._share(copy, digest, progress)
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
            lock(session, digest)
            row = session.get(ArtifactRow, digest)
            if row is None:
                row = ArtifactRow(
                    digest=digest,
                    size_bytes=size,
                    format=disk_format,
                    shared=False,
                    created_at=self._database.now(session),
                )
                session.add(row)
                session.flush()
            row.shared = row.shared or self.shared is not None
            artifact = self._artifact(row)
            artifact.path.parent.mkdir(parents=True, exist_ok=True)
            path.replace(artifact.path)
            files.flush_now(artifact.path.parent)
        return artifact

    async def _share(self, path: Path, digest: str, progress: ProgressSink | None) -> None:
        if self.shared:
            await self.shared.put(path, digest=digest, progress=progress)

    async def _share_older(self, row: ArtifactRow, artifact: Artifact, progress: ProgressSink | None) -> None:
        if self.shared and not row.shared:
            await self._share(artifact.path, artifact.digest, progress)
            with self._database.session() as session:
                session.execute(
                    update(ArtifactRow).where(ArtifactRow.digest == artifact.digest).values(shared=True)
                )

    async def _download(self, shared: SharedStore, artifact: Artifact, progress: ProgressSink | None) -> None:
        """Make the copy of this host, once for all who want it now."""
        try:
            async with locked(lock_of(artifact.path)):
                if not _touch(artifact.path):
                    await shared.fetch(artifact.digest, artifact.path, ledger=self._ledger, progress=progress)
                    artifact.path.chmod(READ_ONLY)
        except OSError as error:
            raise StoreError(
                f"{artifact.path} cannot be written: {error.strerror}", target=str(artifact.path)
            ) from error

    def _row(self, digest: str) -> ArtifactRow:
        with self._database.session() as session:
            row = session.get(ArtifactRow, digest.lower())
        if row is None:
            raise VmwrightError(f"The store has no artifact {digest}", target=digest)
        return row

    def _not_here(self, row: ArtifactRow, artifact: Artifact) -> VmwrightError:
        again = "remove what uses it (vmwright sources rm, vmwright images) and make it again"
        if self.shared is None:
            hint = f"{again}; if it is on another host: [store] url in vmwright.toml lets hosts share files"
        elif row.shared:
            hint = f"it is in the store {self.shared.url}"
        else:
            hint = f"build with it once on the host that has it, which shares it; or {again}"
        return VmwrightError(
            f"The file of artifact {row.digest} is gone from this host, or was never here: {artifact.path}",
            target=str(artifact.path),
            hint=hint,
        )

    def _artifact(self, row: ArtifactRow) -> Artifact:
        path = self.folder / row.digest[:2] / f"{row.digest}.{row.format}"
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


async def _flushed(path: Path, progress: ProgressSink | None) -> str:
    """Bring a file to the disk, and return its SHA-256."""
    async with Together() as together:
        together.start(files.flush(path))
        summed = together.start(files.sha256_of(path, progress=progress))
    return summed.result()


def _touch(path: Path) -> bool:
    """Note that a file is wanted now; return whether it is there."""
    with contextlib.suppress(PermissionError):
        try:
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        except FileNotFoundError:
            return False
    return True


def lock_of(path: Path) -> Path:
    """Return what is locked while the file of an artifact is made on this host, or removed from it."""
    return path.with_name(f".{path.name}.lock")


def _references() -> tuple[Select[str | None], ...]:
    """Return what finds the digests of all that the shared store must keep."""
    artifacts = select(ArtifactRow.digest).where(ArtifactRow.shared)
    return artifacts, select(LayerRow.digest), select(InputRow.digest)


def _builds_on(digest: str) -> Select[str]:
    layers = select(LayerRow).where(LayerRow.build_id == BuildRow.id).exists()
    return select(BuildRow.id).where(
        BuildRow.source.contains(digest), or_(BuildRow.ended_at.is_(None), layers)
    )
