"""ManagedImage: what an earlier build distributed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import SourceError
from vmwright.nearest import nearest
from vmwright.regions import api_name
from vmwright.sources.base_disk import BaseDisk
from vmwright.sources.keeping import teller

if TYPE_CHECKING:
    from vmwright.sources.context import SourceContext
    from vmwright.template.model import ManagedImageSource


async def resolve(source: ManagedImageSource, context: SourceContext, *, location: str) -> BaseDisk:
    """Return the disk of a managed image, which must be in the template's region (reference §5.3).

    :raises SourceError: there is no image of that id, or it is in another region.
    :raises VmwrightError: its disk cannot be had.
    """
    image = context.images.find(source.image_id)
    if image is None:
        # in the service's words (reference §5.2)
        raise SourceError(
            f"Build (Managed Image) step failed: Error getting Managed Image '{source.image_id}': "
            "there is no managed image of that id",
            target="properties.source.imageId",
            hint=_alike(source.image_id, [known.resource_id for known in context.images.list()]),
        )
    if api_name(image.location) != api_name(location):
        raise SourceError(
            f"BadManagedImageSource: the managed image {image.resource_id} is in {image.location}, "
            f"the template in {location}",
            target="properties.source.imageId",
            hint=f'set the template\'s "location" to {image.location}, or distribute the image to {location}',
        )
    artifact = await context.artifacts.fetch(image.digest, progress=teller(context, f"fetching {image.name}"))
    disk = BaseDisk(
        path=artifact.path,
        digest=artifact.digest,
        format=DiskFormat(artifact.format),
        facts=image.facts,
        exact_version="",
        description=f"managed image {image.resource_id}: {image.facts.os_name}",
        builder_source=f"ManagedImage {image.resource_id}",
        made_at=image.created_at,
    )
    context.events.note(f"Source {disk.description}, {disk.age.days} days old")
    return disk


def _alike(image_id: str, known: list[str]) -> str:
    if meant := nearest(image_id, known):
        return f"did you mean {meant}?"
    return "build a template that distributes it first; vmwright images lists all there are"
