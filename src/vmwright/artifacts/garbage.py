"""Removing what nobody wants any more, from this host and from the store that hosts share.

What an image, a version, a source, or a build that runs or can be resumed refers to always stays. Copies of
what the shared store has go when they are too many, those that were wanted longest ago first.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.artifacts.locks import try_lock, unlock
from vmwright.artifacts.store import lock_of
from vmwright.errors import VmwrightError
from vmwright.state.database import lock
from vmwright.state.tables import ArtifactRow

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from vmwright.artifacts.store import ArtifactStore
    from vmwright.events import Events
    from vmwright.state.database import Database

# between the making of an artifact and what refers to it lies the rest of a build
GRACE = timedelta(days=1)
# between the fetching of an artifact and a record of it, or while an image is booted
RECENT = timedelta(hours=1)
BLOCK = 512
DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed: bytes on disk or in the store, and how many files."""

    size_bytes: int = 0
    files: int = 0

    def __add__(self, other: Collected) -> Collected:
        return Collected(self.size_bytes + other.size_bytes, self.files + other.files)


class ArtifactGarbage:
    """One clean-up; ``now`` is the time by this host's clock, which only its files have theirs from."""

    def __init__(
        self, artifacts: ArtifactStore, database: Database, events: Events, *, now: datetime
    ) -> None:
        self._artifacts = artifacts
        self._database = database
        self._events = events
        self._now = now

    async def collect(self, *, cache_bytes: int) -> Collected:
        """Remove what is not wanted; what cannot be removed is warned of, and tried again the next time.

        :param cache_bytes: of copies of what the shared store has.
        """
        removed = await self._guarded(asyncio.to_thread(self._unused))
        removed += await self._guarded(asyncio.to_thread(self._unknown))
        if self._artifacts.shared:
            removed += await self._guarded(self._copies(cache_bytes))
            removed += await self._guarded(self._stale())
        return removed

    async def _guarded(self, part: Awaitable[Collected]) -> Collected:
        try:
            return await part
        except (VmwrightError, OSError) as error:
            self._events.warn(f"Not all that is unused could be removed: {error}")
            return Collected()

    def _unused(self) -> Collected:
        """Remove artifacts that nothing refers to."""
        removed = Collected()
        with self._database.session() as session:
            before = self._database.now(session) - GRACE
            old = select(ArtifactRow.digest).where(ArtifactRow.created_at < before)
            digests = session.scalars(old).all()
        for digest in digests:
            size = size_on_disk(self._artifacts.record(digest).path)
            if self._artifacts.remove_unused(digest):
                removed += Collected(size, 1)
        return removed

    def _unknown(self) -> Collected:
        """Remove files without a row: those of a crash, and copies of what another host has removed."""
        removed = Collected()
        for path in self._artifacts.folder.glob("??/*.*"):
            digest = path.name.partition(".")[0]
            if len(digest) != DIGEST_LENGTH or not self._is_older(path, GRACE):
                continue
            with self._database.session() as session:
                lock(session, digest)
                if session.get(ArtifactRow, digest) is None:
                    removed += removed_file(path)
        return removed

    def _is_older(self, path: Path, age: timedelta) -> bool:
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            newest = datetime.fromtimestamp(max(found.st_mtime, found.st_ctime, found.st_atime), UTC)
            return self._now - newest > age
        return False

    async def _copies(self, cache_bytes: int) -> Collected:
        """Remove copies of this host until those that are left fit."""
        removed = Collected()
        copies = await asyncio.to_thread(self._by_last_use)
        left = sum(size_on_disk(path) for path in copies.values())
        for digest, path in copies.items():
            if left <= cache_bytes:
                break
            one = await self._drop_copy(digest, path)
            left -= one.size_bytes
            removed += one
        return removed

    def _by_last_use(self) -> dict[str, Path]:
        """Return the copies of this host by their digests, the one that was wanted longest ago first."""
        with self._database.session() as session:
            digests = session.scalars(select(ArtifactRow.digest).where(ArtifactRow.shared)).all()
        found = []
        for digest in digests:
            path = self._artifacts.record(digest).path
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                # a replica by another name would keep its bytes on the disk
                if status.st_nlink == 1:
                    found.append((status.st_atime, digest, path))
        return {digest: path for _, digest, path in sorted(found)}

    async def _drop_copy(self, digest: str, path: Path) -> Collected:
        shared = self._artifacts.shared
        if not shared or self._artifacts.build_on(digest) or not self._is_older(path, RECENT):
            return Collected()
        if not await shared.has(digest):
            self._events.warn(f"{path} stays: the store {shared.url} has lost sha256:{digest}")
            return Collected()
        held = try_lock(lock_of(path))
        if held is None:
            return Collected()
        try:
            return removed_file(path) if self._is_older(path, RECENT) else Collected()
        finally:
            unlock(lock_of(path), held)

    async def _stale(self) -> Collected:
        """Remove from the shared store what no row refers to, and uploads that nobody goes on with."""
        removed = Collected()
        shared = self._artifacts.shared
        if shared is None:
            return removed
        now = await shared.now()
        digests = await shared.digests()
        is_referenced = self._artifacts.is_referenced
        for digest in set(digests) - self._artifacts.referenced():
            if size := await shared.remove_stale(digest, now=now, is_referenced=is_referenced):
                removed += Collected(size, 1)
        return removed


def size_on_disk(path: Path) -> int:
    """Return what a file takes of its disk, without its holes; 0 where it is gone."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_blocks * BLOCK
    return 0


def removed_file(path: Path) -> Collected:
    """Remove a file, which may be gone, and say what that gave: no bytes where they have another name."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat()
        path.unlink()
        return Collected(found.st_blocks * BLOCK if found.st_nlink == 1 else 0, 1)
    return Collected()
