"""Writing a finished image as one file: VHD, qcow2 or raw, with its sums beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts.publish import Published, Summing, publish
from vmwright.disks import qemu_img
from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import DistributeError
from vmwright.events import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.distributors.distributor import Destinations
    from vmwright.distributors.finished_image import FinishedImage

# What people call a format, which is also the ending of its files.
FORMATS = {"vhd": DiskFormat.VHD, "qcow2": DiskFormat.QCOW2, "raw": DiskFormat.RAW}


async def export(image: FinishedImage, name: str, ending: str, destinations: Destinations) -> Published:
    """Write the image as ``name.ending`` into the folder for files; it is whole when its name appears.

    :raises DistributeError: the folder cannot be written, or the disk is full.
    """
    file = destinations.files / f"{name}.{ending}"

    def progress(done: int, total: int) -> None:
        destinations.events.say(Progress(what=file.name, done=done, total=total))

    async def write(part: Path) -> None:
        await qemu_img.convert(
            image.disk,
            part,
            to=FORMATS[ending],
            compressed=FORMATS[ending] is DiskFormat.QCOW2,
            on_progress=progress,
        )

    async def check(part: Path) -> None:
        if not await qemu_img.compare(image.disk, part):
            raise DistributeError(f"{file} differs from the disk that was built", target=str(file))

    return await publish(
        write,
        file,
        writing=destinations.writing,
        ledger=destinations.ledger,
        summing=_summing(FORMATS[ending], destinations),
        check=check,
        progress=progress,
    )


def _summing(to: DiskFormat, destinations: Destinations) -> Summing:
    """Return how a file is summed: one that is mostly holes by its pieces, unless both are wanted."""
    if to is DiskFormat.QCOW2:
        return Summing.WHOLE
    return Summing.BOTH if destinations.sums_whole_files else Summing.PIECES
