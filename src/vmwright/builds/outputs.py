"""What a build leaves: its run outputs, the files for its user, the record of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.builds.records import RunSubState
from vmwright.distributors.distributor import Destinations, RunOutput
from vmwright.distributors.kinds import distribute, export_as
from vmwright.distributors.stored import StoredImage
from vmwright.images import open_images
from vmwright.template.model import Vhd

if TYPE_CHECKING:
    from vmwright.builds.build import Build
    from vmwright.distributors.finished_image import FinishedImage

DEFAULT_FORMAT = "vhd"


async def distribute_all(build: Build, image: FinishedImage) -> tuple[RunOutput, ...]:
    """Run the template's distributors, then write the formats that the user asked for besides.

    What failed carries its error and undoes nothing of the rest.
    """
    build.records.set(run_sub_state=RunSubState.DISTRIBUTING)
    images = open_images(build.settings, build.database)
    stored = StoredImage(image, images.artifacts, build.events)
    destinations = Destinations(
        stored=stored,
        library=images.managed,
        galleries=images.galleries,
        versions=images.versions,
        location=build.template.location,
        api_version=build.template.api_version,
        makes_galleries=build.request.makes_galleries,
        files=build.request.out or build.settings.home / "artifacts" / "vhds",
        users=build.request.out is not None,
        ledger=build.ledger,
        events=build.events,
    )
    try:
        return await _distribute(build, image, destinations)
    finally:
        stored.drop_unused()


async def _distribute(
    build: Build, image: FinishedImage, destinations: Destinations
) -> tuple[RunOutput, ...]:
    made = []
    for distributor in build.template.distribute:
        made.append(await distribute(distributor, image, destinations))
        build.records.distributed(made[-1])
    made += [
        await export_as(ending, build.request.name, image, destinations) for ending in _more_formats(build)
    ]
    return tuple(made)


def _more_formats(build: Build) -> tuple[str, ...]:
    """Return the formats to write beside what the template distributes: ``--out`` never stays empty."""
    if build.request.out is None:
        return ()
    has_vhd = any(isinstance(distributor, Vhd) for distributor in build.template.distribute)
    if not build.request.formats and not has_vhd:
        return (DEFAULT_FORMAT,)
    return tuple(ending for ending in build.request.formats if not (has_vhd and ending == DEFAULT_FORMAT))
