"""The kinds of sources, and what each becomes. A new kind is a module and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.errors import UnsupportedError
from vmwright.sources import managed_image, platform_image, shared_image_version
from vmwright.template.model import IsoSource, ManagedImageSource, PlatformImage, SharedImageVersion

if TYPE_CHECKING:
    from vmwright.sources.base_disk import BaseDisk
    from vmwright.sources.context import SourceContext
    from vmwright.template.model import Source


async def resolve(source: Source, context: SourceContext, *, location: str) -> BaseDisk:
    """Return the disk that a template's source names, making or fetching it where that is possible.

    :param location: the template's region, where images must be (reference §5.3).
    :raises SourceError: it cannot be found or read.
    :raises UnsupportedError: sources of its kind are not built yet.
    """
    match source:
        case PlatformImage():
            return await platform_image.resolve(source, context)
        case ManagedImageSource():
            return await managed_image.resolve(source, context, location=location)
        case SharedImageVersion():
            return await shared_image_version.resolve(source, context, location=location)
        case IsoSource():
            raise UnsupportedError(
                "Sources of type ISO are not supported in this version",
                target="properties.source.type",
                hint="use a PlatformImage, a ManagedImage or a SharedImageVersion",
            )
