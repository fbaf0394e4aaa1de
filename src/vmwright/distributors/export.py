"""Writing a finished image as one file: VHD, qcow2 or raw, with its sums beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts.duplicates import Placed
from vmwright.artifacts.publish import Published, Summing, publish, publish_existing
from vmwright.disks import conversion, qemu_img
from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import DistributeError
from vmwright.events import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts.sums import Sums
    from vmwright.distributors.distributor import Destinations
    from vmwright.distributors.finished_image import FinishedImage

# What people call a format, which is also the ending of its files.
FORMATS = {"vhd": DiskFormat.VHD, "qcow2": DiskFormat.QCOW2, "raw": DiskFormat.RAW}


async def export(image: FinishedImage, name: str, ending: str, destinations: Destinations) -> Published:
    """Write the image as ``name.ending`` into the folder for files; it is whole when its name appears.

    :raises DistributeError: the folder cannot be written, or the disk is full.
    """
    file = destinations.files / f"{name}.{ending}"
    summing = _summing(FORMATS[ending], destinations)
    if again := await _made_before(file, ending, summing, destinations):
        return again

    def progress(done: int, total: int) -> None:
        destinations.events.say(Progress(what=file.name, done=done, total=total))

    async def write(part: Path) -> Sums | None:
        to, draft = FORMATS[ending], destinations.draft
        return await conversion.convert(
            image.disk,
            part,
            to=to,
            compressed=to is DiskFormat.QCOW2,
            begun=await draft.take(to, progress) if draft else None,
            on_progress=progress,
        )

    async def check(part: Path) -> None:
        if not await qemu_img.compare(image.disk, part):
            raise DistributeError(f"{file} differs from the disk that was built", target=str(file))

    made = await publish(
        write,
        file,
        writing=destinations.writing,
        ledger=destinations.ledger,
        summing=summing,
        check=check,
        progress=progress,
    )
    if destinations.made_before:
        await destinations.made_before.keep_file(ending, made)
    return made


async def _made_before(
    file: Path, ending: str, summing: Summing, destinations: Destinations
) -> Published | None:
    """Give the file that was made of this disk before its name; None where there is none with these sums."""
    before = destinations.made_before
    made = await before.file(ending) if before else None
    if before is None or made is None or (made.sha256 is None and summing is not Summing.PIECES):
        return None
    again = await publish_existing(
        made.path,
        file,
        sums=made.sums,
        sha256=made.sha256,
        summing=summing,
        writing=destinations.writing,
        ledger=destinations.ledger,
    )
    if again.placed is Placed.LINK:
        before.linked()
    return again


def _summing(to: DiskFormat, destinations: Destinations) -> Summing:
    """Return how a file is summed: one that is mostly holes by its pieces, unless both are wanted."""
    if to is DiskFormat.QCOW2:
        return Summing.WHOLE
    return Summing.BOTH if destinations.sums_whole_files else Summing.PIECES
