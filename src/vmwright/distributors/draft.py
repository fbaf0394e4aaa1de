"""A file for the user that is begun while its disk is still worked on: most of that is there from the start.

A disk changes little while it is built. What it is before the first step is written while the machine works,
and in the end only what has become another piece of 1 MiB is written again.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from vmwright.artifacts.publish import workplace
from vmwright.disks.conversion import flat_size
from vmwright.disks.flat_disk import FlatDisk
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink
    from vmwright.disks.qemu_img import DiskFormat
    from vmwright.events import Events
    from vmwright.state.resources import Ledger

# They wait for the disk most of the time, and leave the processors to the machine.
THREADS = 3


class Draft:
    """The draft of one file; ``begin`` comes first, ``drop`` last.

    :param beside: the file, or one on the same file system: the draft is in a hidden folder beside it.
    :param to: raw or VHD.
    """

    def __init__(self, beside: Path, to: DiskFormat, *, ledger: Ledger, events: Events) -> None:
        self._beside = beside
        self._to = to
        self._ledger = ledger
        self._events = events
        self._place = contextlib.AsyncExitStack()
        self._task: asyncio.Task[FlatDisk | None] | None = None
        self._tell: ProgressSink | None = None

    def begin(self, disk: Path, disk_format: DiskFormat, size_bytes: int) -> None:
        """Write what a disk is now, whose files nobody writes any more.

        :param size_bytes: what the guest sees of the disk that is built.
        """
        self._task = asyncio.create_task(self._begin(disk, disk_format, flat_size(size_bytes, self._to)))

    async def take(self, to: DiskFormat, progress: ProgressSink) -> FlatDisk | None:
        """Return what is written, once it is, to one who wants a file of its format; None to all others.

        :param progress: given bytes done and bytes in all, as long as it is not.
        """
        if self._task is None or to is not self._to:
            return None
        self._tell = progress
        task, self._task = self._task, None
        try:
            return await task
        finally:
            task.cancel()
            self._tell = None

    async def drop(self) -> None:
        """End it, and remove what nobody has taken."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._place.aclose()

    async def _begin(self, disk: Path, disk_format: DiskFormat, size: int) -> FlatDisk | None:
        try:
            folder = await self._place.enter_async_context(workplace(self._beside, self._ledger))
            flat = FlatDisk(folder / self._beside.name)
            await flat.write(disk, disk_format, size, on_progress=self._progress, threads=THREADS)
        except (VmwrightError, OSError) as error:
            self._events.warn(f"{self._beside.name} is written at the end only: {error}")
            return None
        return flat

    def _progress(self, done: int, total: int) -> None:
        if self._tell:
            self._tell(done, total)
