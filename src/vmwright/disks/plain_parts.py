"""Where the bytes of a disk are in its files, for a disk that can be read without QEMU."""

from __future__ import annotations

import asyncio
from pathlib import Path

from vmwright.artifacts.gathering import Part
from vmwright.disks import qemu_img
from vmwright.disks.qemu_img import DiskFormat

_PLAIN = frozenset({DiskFormat.QCOW2, DiskFormat.RAW})


async def plain_parts(disk: Path, disk_format: DiskFormat) -> tuple[Part, ...] | None:
    """Return the parts of its files that a disk with its backing files consists of; all else is zeros.

    :returns: None where only QEMU can read it: some of it is compressed, in another format,
        or behind the end of its file.
    :raises ProcessError: in qemu-img's words (a table of the disk is damaged, for one).
    """
    extents, chain = await asyncio.gather(
        qemu_img.extents(disk, disk_format), qemu_img.chain(disk, disk_format)
    )
    if any(one["format"] not in _PLAIN for one in chain):
        return None
    files = [Path(one["filename"]) for one in chain]
    sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
    with_data = [one for one in extents if one["data"]]
    if any("offset" not in one or one["offset"] + one["length"] > sizes[one["depth"]] for one in with_data):
        return None
    return tuple(
        Part(start=one["start"], length=one["length"], file=files[one["depth"]], offset=one["offset"])
        for one in with_data
    )
