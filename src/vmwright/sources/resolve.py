"""The kinds of sources, and what each becomes. A new kind is a module and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.errors import UnsupportedError
from vmwright.sources import managed_image, platform_image
from vmwright.template.model import IsoSource, ManagedImageSource, PlatformImage, SharedImageVersion

if TYPE_CHECKING:
    from vmwright.sources.base_disk import BaseDisk
    from vmwright.sources.context import SourceContext
    from vmwright.template.model import Source


async def resolve(source: Source, context: SourceContext) -> BaseDisk:
    """Return the disk that a template's source names, making or fetching it where that is possible.

    :raises SourceError: it cannot be found or read.
    :raises UnsupportedError: sources of its kind are not built yet.
    """
    match source:
        case PlatformImage():
            return await platform_image.resolve(source, context)
        case ManagedImageSource():
            return await managed_image.resolve(source, context)
        case SharedImageVersion():
            raise _unsupported("SharedImageVersion")
        case IsoSource():
            raise _unsupported("ISO")


def _unsupported(kind: str) -> UnsupportedError:
    return UnsupportedError(
        f"Sources of type {kind} are not supported in this version",
        target="properties.source.type",
        hint="use a PlatformImage or a ManagedImage",
    )
