"""The VHD distributor: a fixed VHD that Azure takes as it is (reference §11.1).

In the service the blob is ``vhds/<name>_<yyyyMMddHHmmss>.vhd`` in the staging storage account; here it is
a file in the user's folder, or in the build's own one below ``artifacts/vhds`` under that name, with the time
of the build's submission: an attempt that was broken off leaves no second one.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from vmwright.distributors.distributor import RunOutput
from vmwright.distributors.export import export

if TYPE_CHECKING:
    from vmwright.distributors.distributor import Destinations
    from vmwright.distributors.finished_image import FinishedImage
    from vmwright.template.model import Vhd


async def distribute(distributor: Vhd, image: FinishedImage, destinations: Destinations) -> RunOutput:
    """Write the VHD; its run output has the ``artifactUri`` of the file.

    :raises DistributeError: it cannot be written.
    """
    name = distributor.run_output_name
    if not destinations.users:
        name = f"{name}_{destinations.started_at.astimezone(UTC):%Y%m%d%H%M%S}"
    written = await export(image, name, "vhd", destinations)
    return RunOutput(
        name=distributor.run_output_name,
        kind=distributor.kind,
        artifact_uri=written.path.absolute().as_uri(),
        tags=distributor.artifact_tags,
    )
