"""A raw view of a disk file, filled only where one looks: without root, mounts, FUSE or a full copy.

sfdisk, blkid, debugfs and mtools read raw files. A raw disk or fixed VHD is its own view; of any other, the
view is a sparse file of the disk's size, into which qemu-img copies the ranges asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vmwright.disks.qemu_img import HINT, LONG, DiskFormat, DiskInfo
from vmwright.disks.vhd import FOOTER_BYTES
from vmwright.process import run

if TYPE_CHECKING:
    from pathlib import Path


class RawView:
    """What can be read of one disk; ``path`` is a file on which tools for raw disks work."""

    def __init__(self, source: Path, disk: DiskInfo, path: Path) -> None:
        self._source = source
        self._disk = disk
        self.path = path

    async def fill(self, start: int, size: int) -> None:
        """Make a range (bytes) readable in the view; what lies behind the disk's end is left out."""
        size = min(size, self._disk.virtual_size - start)
        if self.path == self._source or size <= 0:
            return
        there = f"driver=raw,offset={start},size={size}"
        source = f"{there},file.driver={self._disk.format},file.file.driver=file"
        argv = ["qemu-img", "convert", "-n", "--target-is-zero", "-W", "-m", "8"]
        argv += ["--image-opts", f"{source},file.file.filename={_quoted(self._source)}"]
        argv += ["--target-image-opts", f"{there},file.driver=file,file.filename={_quoted(self.path)}"]
        await run(argv, timeout=LONG, hint=HINT)


def raw_view(source: Path, disk: DiskInfo, *, work: Path) -> RawView:
    """Return a view of a disk, nothing of it filled yet.

    :param work: an existing folder, its caller's to remove, for the view's sparse file.
    """
    source = source.absolute()
    own_view = disk.format is DiskFormat.RAW or (
        disk.format is DiskFormat.VHD and source.stat().st_size - disk.virtual_size == FOOTER_BYTES
    )
    if own_view:
        return RawView(source, disk, source)
    path = work.absolute() / f"{source.name}.view"
    path.touch()
    os.truncate(path, disk.virtual_size)
    return RawView(source, disk, path)


def _quoted(path: Path) -> str:
    """Write a path for QEMU's option lists, in which a comma is doubled."""
    return str(path).replace(",", ",,")
