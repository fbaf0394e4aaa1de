"""The root file system of a raw disk on this host: a loop device over its partition, mounted.

Everything on it is foreign: it may be looked at as bytes and handed to a container, but paths inside are not
to be followed from here (an absolute symbolic link would lead to this host's files).
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Self

from vmwright import process
from vmwright.disks.grow import EXT, GROWS_MOUNTED, grow_ext, grow_partition
from vmwright.disks.mounts import thaw, unmount
from vmwright.disks.partitions import probe, read_table
from vmwright.errors import ProcessError, UnsupportedError
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from vmwright.disks.partitions import FileSystem, Partition
    from vmwright.state.resources import Ledger

SECONDS = 120.0
BUSY_TRIES = 100
BUSY_PAUSE = 0.05

# behind the last partition lie the second copy of a GPT and less than one unit of alignment
UNUSABLE = 2 << 20
OPTIONS = "discard,nodev"
XFS = "xfs"
BTRFS = "btrfs"


class AttachedRoot:
    """The root partition of ``raw``, mounted on ``folder`` from entering this context to leaving it.

    A root that does not fill its disk is grown.
    ``folder``'s parent must be closed to other users (0700): the tree holds set-user-id programs that nobody
    on this host has looked at. Device nodes on it are dead (nodev).
    """

    def __init__(self, raw: Path, folder: Path, ledger: Ledger) -> None:
        self.folder = folder
        self._raw = raw
        self._ledger = ledger
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            root, system = await _root_of(self._raw)
            grows = self._raw.stat().st_size - root.end >= UNUSABLE
            if grows:
                root, _ = await grow_partition(self._raw, root)
            device = await stack.enter_async_context(self._loop(root))
            if grows and system.type in EXT:
                await grow_ext(device)
            await stack.enter_async_context(self._mount(device, system))
            if grows and system.type == XFS:
                await process.run(["xfs_growfs", self.folder], timeout=SECONDS, hint="install xfsprogs")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Hold the file system still and clean while the block runs.

        Every write to it blocks meanwhile: start nothing that runs from it.
        """
        # first without stopping anybody: the freeze then has little left to write
        await process.run(["sync", "--file-system", self.folder], timeout=SECONDS)
        try:
            await process.run(["fsfreeze", "--freeze", self.folder], timeout=SECONDS)
            yield
        finally:
            await thaw(self.folder)

    async def trim(self) -> None:
        """Give the blocks that the file system no longer uses back to the disk."""
        await process.run(["fstrim", self.folder], timeout=SECONDS)

    @contextlib.asynccontextmanager
    async def _loop(self, root: Partition) -> AsyncIterator[str]:
        claim = self._ledger.claim(ResourceKind.LOOP, self._raw)
        try:
            made = await process.run(
                [
                    *("losetup", "--show", "--find"),
                    *("--offset", str(root.start), "--sizelimit", str(root.size)),
                    self._raw,
                ],
                timeout=SECONDS,
                hint="the container machine needs loop devices; `--machine vm` does not",
            )
            yield made.text
        finally:
            await detach(self._raw)
            self._ledger.release(claim)

    @contextlib.asynccontextmanager
    async def _mount(self, device: str, system: FileSystem) -> AsyncIterator[None]:
        claim = self._ledger.claim(ResourceKind.MOUNT, self.folder)
        self.folder.mkdir(exist_ok=True)  # a crash leaves it behind
        try:
            # several builds may have disks of one source mounted, with one id; only xfs minds
            options = f"{OPTIONS},nouuid" if system.type == XFS else OPTIONS
            await process.run(["mount", "--options", options, device, self.folder], timeout=SECONDS)
            # from now on it goes with the mount: it cannot be found any more by the name of its file where a
            # daemon that is told to end from outside has taken that away
            await process.run(["losetup", "--detach", device], timeout=SECONDS)
            yield
        finally:
            await thaw(self.folder)
            await unmount(self.folder)
            self.folder.rmdir()
            self._ledger.release(claim)


async def detach(backing: Path) -> None:
    """Detach every loop device over the file ``backing`` and wait until it is gone; does nothing without one.

    :raises ProcessError: the device stays in use.
    """
    for _ in range(BUSY_TRIES):
        devices = await asyncio.to_thread(_loops_over, backing)
        if not devices:
            return
        for device in devices:
            await process.run(["losetup", "--detach", device], timeout=SECONDS, check=False)
        await asyncio.sleep(BUSY_PAUSE)  # a device in use goes when its last user has gone
    raise ProcessError(f"The loop device over {backing} stays in use", target=str(backing))


def _loops_over(backing: Path) -> list[str]:
    """Ask /sys, not ``losetup --associated``: that asks the file, whose FUSE daemon may be dead."""
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if file.read_text().rstrip("\n").removesuffix(" (deleted)") == str(backing):
                found.append(f"/dev/{file.parts[3]}")
    return found


async def _root_of(raw: Path) -> tuple[Partition, FileSystem]:
    """Find the root partition: the largest one with a Linux file system.

    A btrfs counts, so that an ext4 for /boot beside it is not taken for the root.
    """
    found = []
    for partition in (await read_table(raw)).partitions:
        system = await probe(raw, partition)
        if system and system.type in EXT | GROWS_MOUNTED:
            found.append((partition, system))
    root = max(found, key=lambda pair: pair[0].size, default=None)
    if root is None or root[1].type == BTRFS:
        raise UnsupportedError(
            f"{raw.name} has no root file system that can be mounted here: an ext4 or xfs on a partition",
            hint="`--machine vm` boots disks of any layout",
        )
    return root
