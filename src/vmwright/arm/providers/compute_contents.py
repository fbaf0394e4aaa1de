"""What resource groups have of the library of images: managed images and galleries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.arm.ids import ResourceId
from vmwright.arm.store import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vmwright.images import GalleryId, Images

IMAGE = "Microsoft.Compute/images"
GALLERY = "Microsoft.Compute/galleries"
API_VERSION = "2024-11-01"


class ComputeContents:
    """Lists and removes the images and galleries of resource groups (``contents.py``)."""

    def __init__(self, images: Images) -> None:
        self._images = images

    async def remove_all(self, group: ResourceId) -> None:
        """Remove the images, versions, definitions and galleries of a group.

        :raises VmwrightError: a build stands on one of them, or makes one just now.
        """
        await asyncio.to_thread(self._remove_all, group)

    async def resources(self, subscription: str, group: str | None) -> list[Resource]:
        """Return the managed images and galleries of a group; None: of all groups."""
        around = f"{ResourceId(subscription, group or '').key}/"
        known = await asyncio.to_thread(self._resources)
        return [one for one in known if one.id.lower().startswith(around)]

    def _remove_all(self, group: ResourceId) -> None:
        around = f"{group.key}/"
        self._images.versions.remove_unfinished()  # the removal of one may have been interrupted
        for image in self._images.managed.list():
            if image.resource_id.lower().startswith(around):
                self._images.managed.remove(image.resource_id)
        for gallery in self._images.galleries.galleries():
            if gallery.id.key.startswith(around):
                self._remove_gallery(gallery.id)

    def _remove_gallery(self, gallery: GalleryId) -> None:
        for version in self._images.versions.list():
            if version.id.of_gallery.key == gallery.key:
                self._images.versions.remove(version.id)
        for definition in self._images.galleries.definitions(gallery):
            self._images.galleries.remove_definition(definition.id)
        self._images.galleries.remove_gallery(gallery)

    def _resources(self) -> list[Resource]:
        return [
            *(
                _resource(image.resource_id, IMAGE, image.location, image.tags, image.created_at)
                for image in self._images.managed.list()
            ),
            *(
                _resource(str(gallery.id), GALLERY, gallery.location, gallery.tags, gallery.created_at)
                for gallery in self._images.galleries.galleries()
            ),
        ]


def _resource(
    resource_id: str, kind: str, location: str, tags: Mapping[str, str], created_at: datetime
) -> Resource:
    return Resource(
        id=resource_id,
        type=kind,
        name=resource_id.rpartition("/")[2],
        location=location,
        tags=tags,
        api_version=API_VERSION,
        created_by="",
        created_at=created_at,
        changed_at=created_at,
    )
