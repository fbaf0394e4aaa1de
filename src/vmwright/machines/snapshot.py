"""A memory snapshot: a provisioned, idle virtual machine, as files from which others go on.

    FOLDER/disk.qcow2   the disk over the base disk, as it was when the memory was saved
    FOLDER/memory       QEMU's migration stream: memory, devices, the UEFI variables
    FOLDER/snapshot     what is known of it, JSON, with the key that opens the guest: for this user alone

No build ever had its keys: its guest was provisioned with keys of its own, which whoever goes on from it
replaces before anything else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from vmwright.artifacts.sums import data_digest
from vmwright.errors import MachineError

if TYPE_CHECKING:
    from vmwright.machines.snapshot_key import SnapshotKey
    from vmwright.machines.vm_identity import VmIdentity

DISK, MEMORY, KNOWN = "disk.qcow2", "memory", "snapshot"


class SavedFile(BaseModel):
    """A file of a snapshot: its size in bytes and the digest of its data (``artifacts.sums``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int
    data_digest: str


class Known(BaseModel):
    """What is known of a snapshot.

    :param key: the digest of its key; ``base``: the file that its disk stands on.
    :param session: the process in the guest that served the connection over which it was prepared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    base: Path
    description: str
    made_at: datetime
    disk: SavedFile
    memory: SavedFile
    session: int
    name: str
    user: str
    client_key: str
    host_key: str
    vm_id: str
    container_id: str
    mac: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot on this host."""

    folder: Path
    known: Known

    @property
    def disk(self) -> Path:
        """The disk, which is never written again."""
        return self.folder / DISK

    @property
    def memory(self) -> Path:
        """The memory."""
        return self.folder / MEMORY

    @property
    def identity(self) -> VmIdentity:
        """What the guest was provisioned with.

        :raises MachineError: the keys cannot be read.
        """
        # lists of snapshots open none of their keys
        import asyncssh  # noqa: PLC0415

        from vmwright.machines.seed import Access  # noqa: PLC0415
        from vmwright.machines.vm_identity import VmIdentity  # noqa: PLC0415

        known = self.known
        try:
            access = Access(
                known.user,
                asyncssh.import_private_key(known.client_key),
                asyncssh.import_public_key(known.host_key),
            )
        except asyncssh.KeyImportError as error:
            raise MachineError(f"The keys of the memory snapshot cannot be read: {error}") from None
        return VmIdentity(
            name=known.name,
            access=access,
            vm_id=known.vm_id,
            container_id=known.container_id,
            mac=known.mac,
        )

    def fault_at_sight(self, base: Path) -> str | None:
        """Return why it cannot be used over a base disk, as far as that is seen without reading it."""
        if self.known.base != base or not base.exists():
            return f"the disk under it, {self.known.base}, is gone"
        for path, saved in ((self.disk, self.known.disk), (self.memory, self.known.memory)):
            if not path.exists() or path.stat().st_size != saved.size_bytes:
                return f"{path.name} is not whole"
        return None

    async def require_undamaged(self) -> None:
        """Read all of it: several threads do, and whoever reads it beside them finds it in memory.

        :raises MachineError: it is not what was saved.
        """
        pairs = ((self.disk, self.known.disk), (self.memory, self.known.memory))
        digests = await asyncio.gather(*(data_digest(path) for path, _ in pairs))
        for digest, (path, saved) in zip(digests, pairs, strict=True):
            if digest != saved.data_digest:
                raise MachineError(f"{path.name} is damaged", target=str(path))


async def saved_file(path: Path) -> SavedFile:
    """Return what is to be known of a file."""
    return SavedFile(size_bytes=path.stat().st_size, data_digest=await data_digest(path))


def known_of(
    key: SnapshotKey,
    identity: VmIdentity,
    *,
    base: Path,
    description: str,
    session: int,
    made_at: datetime,
    disk: SavedFile,
    memory: SavedFile,
) -> Known:
    """Put together what is known of a snapshot."""
    return Known(
        key=key.digest,
        base=base,
        description=description,
        made_at=made_at,
        disk=disk,
        memory=memory,
        session=session,
        name=identity.name,
        user=identity.access.user,
        client_key=identity.access.client_key.export_private_key().decode(),
        host_key=identity.access.host_key.export_public_key().decode(),
        vm_id=identity.vm_id,
        container_id=identity.container_id,
        mac=identity.mac,
    )


def read_snapshot(folder: Path) -> Snapshot | None:
    """Return the snapshot in a folder; None where there is none, or nobody can tell what it is."""
    try:
        return Snapshot(folder, Known.model_validate_json((folder / KNOWN).read_text()))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
