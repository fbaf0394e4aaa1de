"""What resource groups have of the library of images: managed images and galleries."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.arm.ids import ResourceId
from vmwright.arm.providers.compute.galleries import Galleries
from vmwright.arm.providers.compute.images import ManagedImages

if TYPE_CHECKING:
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource
    from vmwright.images import GalleryId


class ComputeContents:
    """Lists and removes the images and galleries of resource groups (``arm/contents.py``)."""

    def __init__(self, service: Service) -> None:
        self._images = service.images
        self._collections = (ManagedImages(service).collection, Galleries(service).collection)

    async def remove_all(self, group: ResourceId) -> None:
        """Remove the images, versions, definitions and galleries of a group.

        :raises VmwrightError: a build stands on one of them, or makes one just now.
        """
        await asyncio.to_thread(self._remove_all, group)

    async def resources(self, subscription: str, group: str | None) -> list[Resource]:
        """Return the managed images and galleries of a group; None: of all groups."""
        return await asyncio.to_thread(self._resources, ResourceId(subscription, group or ""))

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
        for definition in self._images.galleries.definitions(gallery):
            for version in self._images.versions.list(definition.id):
                self._images.versions.remove(version.id)
            self._images.galleries.remove_definition(definition.id)
        self._images.galleries.remove_gallery(gallery)

    def _resources(self, scope: ResourceId) -> list[Resource]:
        now = datetime.now(UTC)
        return [
            thing.as_resource(now) for collection in self._collections for thing in collection.below(scope)
        ]
