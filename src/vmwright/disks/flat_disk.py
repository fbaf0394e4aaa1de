"""A raw disk that is written of a disk with its backing files, perhaps before the last of those is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts.files import lay_out
from vmwright.artifacts.gathering import Gathering
from vmwright.artifacts.sums import THREADS
from vmwright.disks.plain_parts import plain_parts

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink
    from vmwright.artifacts.sums import Sums
    from vmwright.disks.qemu_img import DiskFormat


class FlatDisk:
    """A raw disk at ``path``; written again, only what differs from the disk before is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._gathering: Gathering | None = None

    async def write(
        self,
        disk: Path,
        disk_format: DiskFormat,
        size: int,
        *,
        on_progress: ProgressSink | None = None,
        threads: int = THREADS,
    ) -> Sums | None:
        """Make it what a disk is, whose files nobody writes any more; it is not flushed.

        :param size: of the new file: that of the disk, or more.
        :param on_progress: given bytes done and bytes in all, of those that are to be written.
        :returns: the sums of what was compared while it was written; None where only QEMU can read the disk:
            the file is one hole then.
        :raises ProcessError: in qemu-img's words.
        :raises OSError: the disk of this host is full, or fails.
        """
        parts = await plain_parts(disk, disk_format)
        # one that fails leaves nothing to go on from
        gathering, self._gathering = self._gathering, None
        if gathering is None or parts is None or gathering.size != size:
            self.path.unlink(missing_ok=True)
            lay_out(self.path, size)
            gathering = Gathering(self.path, size)
        if parts is None:
            return None
        sums = await gathering.write(parts, progress=on_progress, threads=threads)
        self._gathering = gathering
        return sums
