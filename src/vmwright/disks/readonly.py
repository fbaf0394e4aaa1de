"""A partition of a raw disk, mounted to be looked at: for file systems that no program here reads otherwise.

Everything on it is foreign: read it through ``filetree.MountedFiles``, whose paths cannot lead out of it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.disks.mounts import shared, unmount
from vmwright.disks.uncut import uncut
from vmwright.errors import ProcessError, SourceError
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vmwright.disks.partitions import FileSystem, Partition
    from vmwright.state.resources import Ledger

SECONDS = 120.0
HARMLESS = "ro,nodev,nosuid,noexec"
# neither writes nor replays a journal (a source may have been cut off); a disk may be mounted twice
OPTIONS = {"xfs": f"{HARMLESS},norecovery,nouuid", "btrfs": f"{HARMLESS},rescue=nologreplay"}
MOUNTABLE = frozenset(OPTIONS)
HINT = "it takes loop devices, a kernel that knows its features, and all of it on one partition"


@contextlib.asynccontextmanager
async def mounted_read_only(
    raw: Path, partition: Partition, system: FileSystem, folder: Path, ledger: Ledger
) -> AsyncIterator[Path]:
    """Give the folder where a file system (one of ``MOUNTABLE``) of ``raw`` is mounted while the block runs.

    Of a btrfs, it is the default subvolume. Needs root. ``raw`` is not written to.

    :param folder: not there yet; made and removed here.
    :raises SourceError: the kernel of this host refuses it.
    """
    folder.mkdir(mode=0o700)
    folder = folder.resolve()  # the kernel's table of mounts, by which unmounting goes, knows no links
    made = contextlib.AsyncExitStack()
    made.callback(folder.rmdir)
    try:
        try:
            await made.enter_async_context(shared(folder, ledger))
            root = await made.enter_async_context(_mounted(raw, partition, system, folder, ledger))
        except ProcessError as error:
            what = f"Partition {partition.number} holds {system.type}, which cannot be mounted"
            raise SourceError(f"{what}: {error.message}", hint=HINT) from error
        yield root
    finally:
        await uncut(made.aclose())


@contextlib.asynccontextmanager
async def _mounted(
    raw: Path, partition: Partition, system: FileSystem, folder: Path, ledger: Ledger
) -> AsyncIterator[Path]:
    """Mount through a loop device of the mount's own, which goes with it, also after a crash.

    One made by hand would be found again by its file, and that may be the user's, with loops of his own.
    """
    root = folder / "root"
    root.mkdir()
    claim = ledger.claim(ResourceKind.MOUNT, root)
    place = f"loop,offset={partition.start},sizelimit={partition.size}"
    options = ["--options", f"{OPTIONS[system.type]},{place}"]
    try:
        await process.run(["mount", "--types", system.type, *options, raw, root], timeout=SECONDS)
        yield root
    finally:
        await unmount(root)
        ledger.release(claim)
        root.rmdir()
