"""The root file system of a raw disk on this host: a loop device over its partition, mounted out of sight.

Everything on it is foreign: it may be looked at as bytes and handed to a container, but paths inside are not
to be followed from here (an absolute symbolic link would lead to this host's files).
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from vmwright import process
from vmwright.disks.grow import EXT, grow_ext, grow_partition
from vmwright.disks.mount_namespace import MountNamespace
from vmwright.disks.mounts import freeze, thaw, unmount
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
FROZEN_TRIES = 10
BUSY_PAUSE = 0.05

# behind the last partition lie the second copy of a GPT and less than one unit of alignment
UNUSABLE = 2 << 20
NEEDS_LOOPS = "the container machine needs loop devices; `--machine vm` does not"
XFS = "xfs"
BTRFS = "btrfs"
# several builds may have disks of one source mounted, with one id; only xfs minds
OPTIONS = {**dict.fromkeys(EXT, "discard,nodev"), XFS: "discard,nodev,nouuid"}


class AttachedRoot:
    """The root partition of ``raw``, mounted from entering this context to leaving it.

    It is mounted on ``folder`` in a mount namespace of its own: a program must ``enter`` that, and this
    process finds the files ``seen`` from here. A root that does not fill its disk is grown.
    ``folder``'s parent must be closed to other users (0700): the tree holds set-user-id programs that nobody
    on this host has looked at. Device nodes on it are dead (nodev).
    """

    def __init__(self, raw: Path, folder: Path, ledger: Ledger) -> None:
        self.folder = folder
        self._raw = raw
        self._ledger = ledger
        self._namespace: MountNamespace | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            root, system = await _root_of(self._raw)
            grows = self._raw.stat().st_size - root.end >= UNUSABLE
            if grows:
                root, _ = await grow_partition(self._raw, root)
            await stack.enter_async_context(self._loop_claimed())
            if grows and system.type in EXT:
                await self._grow(root)
            await stack.enter_async_context(self._mount(root, system))
            if grows and system.type == XFS:
                await self._run("xfs_growfs", self.folder, hint="install xfsprogs")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def enter(self) -> tuple[str, ...]:
        """Return the start of a command line whose program is to find the root on ``folder``."""
        return self._held.enter()

    @property
    def seen(self) -> Path:
        """The folder in which this process finds the root's files."""
        return self._held.seen(self.folder)

    @contextlib.asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Hold the file system still and clean while the block runs.

        Every write to it blocks meanwhile: start nothing that runs from it.
        """
        try:
            await freeze(self.seen)
            yield
        finally:
            await self.thaw()

    async def thaw(self) -> None:
        """Let the file system go on where something has frozen it and died; does nothing where it is away."""
        if self._namespace:
            await thaw(self.seen)

    async def trim(self) -> None:
        """Give the blocks that the file system no longer uses back to the disk."""
        await self._run("fstrim", self.folder)

    @property
    def _held(self) -> MountNamespace:
        if self._namespace is None:
            raise ProcessError(f"The root file system of {self._raw.name} is not mounted")
        return self._namespace

    async def _run(self, *argv: str | Path, hint: str | None = None) -> None:
        await process.run([*self.enter(), *argv], timeout=SECONDS, hint=hint)

    @contextlib.asynccontextmanager
    async def _loop_claimed(self) -> AsyncIterator[None]:
        """Own every loop device over the disk while the block runs; at its end there is none any more."""
        claim = self._ledger.claim(ResourceKind.LOOP, self._raw)
        try:
            yield
        finally:
            await detach(self._raw)
            self._ledger.release(claim)

    async def _grow(self, root: Partition) -> None:
        """Grow an ext file system over its partition, before it is mounted."""
        place = ("--offset", str(root.start), "--sizelimit", str(root.size))
        made = await process.run(
            ["losetup", "--show", "--find", *place, self._raw], timeout=SECONDS, hint=NEEDS_LOOPS
        )
        try:
            await grow_ext(made.text)
        finally:
            await detach(self._raw)

    @contextlib.asynccontextmanager
    async def _mount(self, root: Partition, system: FileSystem) -> AsyncIterator[None]:
        self.folder.mkdir(exist_ok=True)  # a crash leaves it behind
        # A loop device that mount makes goes with the mount: it cannot be found any more by the name of its
        # file where a daemon that is told to end from outside has taken that away. It goes through the page
        # cache, which writes one thing after the other: with direct I/O several writes come at once, and the
        # FUSE export of QEMU 7.2 mixes them up (a nested read of /dev/fuse overwrites what is being written).
        options = f"{OPTIONS[system.type]},loop,offset={root.start},sizelimit={root.size}"
        try:
            log = self.folder.with_suffix(".log")
            async with MountNamespace.held(self._ledger, log=log) as self._namespace:
                await self._run(
                    *("mount", "--types", system.type, "--options", options, self._raw, self.folder),
                    hint=NEEDS_LOOPS,
                )
                try:
                    yield
                finally:
                    await self.thaw()
        finally:
            self._namespace = None
            self.folder.rmdir()


async def detach(backing: Path) -> None:
    """Detach every loop device over the file ``backing`` and wait until it is gone; does nothing without one.

    :raises ProcessError: the device stays in use.
    """
    for tried in range(BUSY_TRIES):
        devices = await asyncio.to_thread(_loops_over, backing)
        if not devices:
            return
        if tried == FROZEN_TRIES:
            for device in devices:
                await _thaw_unmounted(device)
        for device in devices:
            await process.run(["losetup", "--detach", device], timeout=SECONDS, check=False)
        await asyncio.sleep(BUSY_PAUSE)  # a device in use goes when its last user has gone
    raise ProcessError(f"The loop device over {backing} stays in use", target=str(backing))


async def _thaw_unmounted(device: str) -> None:
    """Let go of a file system that was frozen when the last program in its namespace died.

    It stays on its device for ever, for nothing reaches it any more; mounting the device finds it again.
    """
    with tempfile.TemporaryDirectory() as folder:
        await process.run(["mount", device, folder], timeout=SECONDS, check=False)
        await thaw(Path(folder))
        await unmount(Path(folder))


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
    partitions = (await read_table(raw)).partitions
    for partition in sorted(partitions, key=lambda one: one.size, reverse=True):
        system = await probe(raw, partition)
        if system and system.type in OPTIONS:
            return partition, system
        if system and system.type == BTRFS:
            break
    raise UnsupportedError(
        f"{raw.name} has no root file system that can be mounted here: an ext4 or xfs on a partition",
        hint="`--machine vm` boots disks of any layout",
    )
