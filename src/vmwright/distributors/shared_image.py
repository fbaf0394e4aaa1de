"""The SharedImage distributor: a version of an image definition, with its replicas (reference §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.distributors.distributor import SOURCE_TAG, RunOutput
from vmwright.images import NewVersion, ids
from vmwright.images.galleries import default_identifier

if TYPE_CHECKING:
    from vmwright.distributors.distributor import Destinations
    from vmwright.distributors.finished_image import FinishedImage
    from vmwright.images.ids import GalleryId
    from vmwright.images.records import VersionRecord
    from vmwright.template.model import SharedImage

CORRELATION_TAG = "correlationId"


async def distribute(distributor: SharedImage, image: FinishedImage, destinations: Destinations) -> RunOutput:
    """Make the next version of the definition, or the one that the template names.

    :raises LostBuildError: another executor has the build.
    :raises DistributeError: the definition is for other images, the version is not new, or a region's
        store cannot be written; nothing of the version stays then.
    """
    wanted = ids.parse_definition(distributor.gallery_image_id)
    if made := destinations.versions.made_by(image.build_id, distributor.run_output_name):
        # by an attempt that was broken off before it could say so
        return _output(distributor, made)
    destinations.galleries.check_fits(wanted, image.facts)
    artifact = await destinations.stored.artifact()
    if destinations.makes_galleries:
        _make_missing(wanted, image, destinations)
    made = await destinations.versions.add(
        NewVersion(
            id=wanted,
            artifact=artifact,
            facts=image.facts,
            versioning=distributor.versioning,
            api_version=destinations.api_version,
            source_version=image.source_version,
            regions=distributor.target_regions,
            exclude_from_latest=distributor.exclude_from_latest,
            replication_mode=distributor.replication_mode,
            plan=image.plan,
            build_id=image.build_id,
            run_output=distributor.run_output_name,
            tags={
                **distributor.artifact_tags,
                CORRELATION_TAG: image.build_id,
                SOURCE_TAG: image.source,
            },
        ),
        writing=destinations.writing,
        ledger=destinations.ledger,
        events=destinations.events,
    )
    return _output(distributor, made)


def _output(distributor: SharedImage, made: VersionRecord) -> RunOutput:
    return RunOutput(
        name=distributor.run_output_name,
        kind=distributor.kind,
        artifact_id=str(made.id),
        tags=distributor.artifact_tags,
    )


def _make_missing(wanted: GalleryId, image: FinishedImage, destinations: Destinations) -> None:
    """Make the gallery and the definition where they are not there; Azure's users make them themselves."""
    galleries, location = destinations.galleries, destinations.location
    if galleries.find_definition(wanted):
        return
    if not galleries.find_gallery(wanted):
        galleries.create_gallery(wanted, location=location)
        destinations.events.note(f"There is no gallery {wanted.gallery} yet: it is made in {location}")
    galleries.create_definition(
        wanted,
        location=location,
        os_type=image.facts.os_type,
        generation=image.facts.generation,
        identifier=default_identifier(wanted),
        plan=image.plan,
    )
    destinations.events.note(
        f"There is no image definition {wanted.definition} in {wanted.gallery} yet: it is made in {location} "
        f"for {image.facts.os_type} of generation {image.facts.generation}"
    )
