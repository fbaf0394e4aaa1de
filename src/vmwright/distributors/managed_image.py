"""The ManagedImage distributor: a qcow2 in the store and a row in the library (reference §11.1, §20).

An image of the same id is overwritten, as in the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.disks import qemu_img
from vmwright.disks.qemu_img import DiskFormat
from vmwright.distributors.distributor import SOURCE_TAG, RunOutput
from vmwright.events import Progress

if TYPE_CHECKING:
    from vmwright.distributors.distributor import Destinations, FinishedImage
    from vmwright.template.model import ManagedImage


async def distribute(
    distributor: ManagedImage, image: FinishedImage, destinations: Destinations
) -> RunOutput:
    """Put the image into the library under its resource id.

    :raises ProcessError: the disk cannot be written, in qemu-img's words.
    """

    def progress(done: int, total: int) -> None:
        destinations.events.say(Progress(what=distributor.run_output_name, done=done, total=total))

    # beside the layers, which are claimed and removed as a whole
    flat = image.disk.with_name(f"{distributor.run_output_name}.flat.qcow2")
    await qemu_img.convert(image.disk, flat, to=DiskFormat.QCOW2, on_progress=progress)
    artifact = await destinations.store.adopt(flat, DiskFormat.QCOW2)
    destinations.library.put(
        distributor.image_id,
        location=distributor.location,
        artifact=artifact,
        facts=image.facts,
        build_id=image.build_id,
        tags={**distributor.artifact_tags, SOURCE_TAG: image.source},
    )
    return RunOutput(
        name=distributor.run_output_name,
        kind=distributor.kind,
        artifact_id=distributor.image_id,
        tags=distributor.artifact_tags,
    )
