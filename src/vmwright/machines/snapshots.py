"""The memory snapshots of a home: ``$VMWRIGHT_HOME/snapshots/KEY``, made once and used by many builds.

A snapshot appears whole, by a rename. Of several that are made of one key at the same time the first stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.machines.snapshot import DISK, KNOWN, MEMORY, known_of, read_snapshot, saved_file
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmwright.machines.snapshot import Snapshot
    from vmwright.machines.snapshot_key import SnapshotKey
    from vmwright.machines.vm_identity import VmIdentity
    from vmwright.state.resources import Ledger

FOLDER = "snapshots"
REFUSAL_SECONDS = 24 * 3600.0


class Making:
    """A snapshot on its way, in a folder of its own.

    ``disk`` is where its disk is to be, ``memory`` the open file that is to hold its memory.
    """

    def __init__(self, key: SnapshotKey, part: Path, memory: int) -> None:
        self.disk = part / DISK
        self.memory = memory
        self._key = key
        self._part = part

    async def finish(self, identity: VmIdentity, *, base: Path, description: str, session: int) -> bool:
        """Give out the snapshot, whose disk nobody writes any more; False where another one was faster.

        :param session: see ``Known``.
        :raises OSError: no room is left, for one.
        """
        known = known_of(
            self._key,
            identity,
            base=base,
            description=description,
            session=session,
            made_at=datetime.now(UTC),
            disk=await saved_file(self.disk),
            memory=await saved_file(self._part / MEMORY),
        )
        with os.fdopen(_new_file(self._part / KNOWN), "w") as file:
            file.write(known.model_dump_json())
        finished = self._part.with_name(self._key.digest)
        try:
            self._part.rename(finished)
        except OSError:
            if finished.exists():
                return False
            raise
        return True


class Snapshots:
    """The snapshots of one $VMWRIGHT_HOME."""

    def __init__(self, home: Path, ledger: Ledger) -> None:
        self.folder = home / FOLDER
        self._ledger = ledger

    @contextlib.contextmanager
    def found(self, key: SnapshotKey) -> Iterator[Snapshot | None]:
        """Give the snapshot of a key, None where there is none; it is not removed as long as the block runs.

        It counts as used now, and may be damaged.
        """
        folder = self.folder / key.digest
        with contextlib.ExitStack() as stack:
            try:
                known = (folder / KNOWN).open("rb")
            except OSError:
                yield None
                return
            stack.enter_context(known)
            fcntl.flock(known, fcntl.LOCK_SH)
            os.utime(known.fileno())
            yield read_snapshot(folder)

    @contextlib.contextmanager
    def making(self, key: SnapshotKey) -> Iterator[Making]:
        """Make a folder for a snapshot that is about to be made, removed at the end where it is not finished.

        :raises OSError: it cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._beside(key.digest, "part")
        with self._ledger.claimed(ResourceKind.PATH, part):
            try:
                part.mkdir(mode=0o700)
                memory = _new_file(part / MEMORY)
                try:
                    yield Making(key, part, memory)
                finally:
                    os.close(memory)
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def refuse(self, key: SnapshotKey, reason: str) -> None:
        """Keep in mind for a day that nothing goes on from a snapshot of a key: each trial costs a boot."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._refusal(key.digest).write_text(reason)

    def refusal(self, key: SnapshotKey) -> str | None:
        """Return why no snapshot of a key is to be made, None where one may be."""
        try:
            with self._refusal(key.digest).open() as file:
                age = time.time() - os.fstat(file.fileno()).st_mtime
                return file.read() if age < REFUSAL_SECONDS else None
        except OSError:
            return None

    def all(self) -> list[Snapshot]:
        """Return the snapshots of this home, the one that was used last first."""
        found = [
            read_snapshot(path.parent) for path in self.folder.glob(f"*/{KNOWN}") if not path.parent.suffix
        ]
        return sorted(filter(None, found), key=used_at, reverse=True)

    def remove(self, digest: str) -> bool:
        """Remove the snapshot of a key's digest, whatever is in it; False where a build uses it just now.

        What stands on its disk has links of its own.
        """
        folder = self.folder / digest
        self._refusal(digest).unlink(missing_ok=True)
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(FileNotFoundError):
                known = stack.enter_context((folder / KNOWN).open("rb"))
                try:
                    fcntl.flock(known, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
            gone = self._beside(digest, "gone")
            stack.enter_context(self._ledger.claimed(ResourceKind.PATH, gone))
            with contextlib.suppress(FileNotFoundError):
                folder.rename(gone)
                shutil.rmtree(gone)
        return True

    def _refusal(self, digest: str) -> Path:
        return self.folder / f"{digest}.refused"

    def _beside(self, digest: str, end: str) -> Path:
        return self.folder / f"{digest}.{uuid.uuid4().hex}.{end}"


def used_at(snapshot: Snapshot) -> float:
    """Return when a snapshot was used last, in seconds since 1970."""
    try:
        return (snapshot.folder / KNOWN).stat().st_mtime
    except OSError:
        return 0.0


def bytes_of(snapshot: Snapshot) -> int:
    """Return what the removal of a snapshot gives back; its disk has other links while layers stand on it."""
    found = [path.stat() for path in (snapshot.disk, snapshot.memory) if path.exists()]
    return sum(each.st_blocks * 512 for each in found if each.st_nlink == 1)


def _new_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
