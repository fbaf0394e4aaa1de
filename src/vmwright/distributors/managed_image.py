"""The ManagedImage distributor: a qcow2 in the store and a row in the library (reference §11.1, §20).

An image of the same id is overwritten, as in the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.distributors.distributor import SOURCE_TAG, RunOutput

if TYPE_CHECKING:
    from vmwright.distributors.distributor import Destinations
    from vmwright.distributors.finished_image import FinishedImage
    from vmwright.template.model import ManagedImage


async def distribute(
    distributor: ManagedImage, image: FinishedImage, destinations: Destinations
) -> RunOutput:
    """Put the image into the library under its resource id.

    :raises LostBuildError: another executor has the build.
    :raises ProcessError: the disk cannot be written, in qemu-img's words.
    """

    destinations.library.put(
        distributor.image_id,
        location=distributor.location,
        artifact=await destinations.stored.artifact(),
        facts=image.facts,
        build_id=image.build_id,
        tags={**distributor.artifact_tags, SOURCE_TAG: image.source},
        writing=destinations.writing,
    )
    return RunOutput(
        name=distributor.run_output_name,
        kind=distributor.kind,
        artifact_id=distributor.image_id,
        tags=distributor.artifact_tags,
    )
