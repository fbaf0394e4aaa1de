"""Galleries: made, shown, listed, changed, removed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vmwright.arm.checks import check_stays, location_of, tags_of
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.compute import shapes
from vmwright.arm.providers.compute.collection import Collection, Record
from vmwright.arm.providers.compute.documents import Wish
from vmwright.arm.providers.compute.names import GALLERIES, GALLERY_NAME, missing, properties_of
from vmwright.images.ids import parse
from vmwright.images.records import unique_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation
    from vmwright.arm.providers.compute.collection import Thing
    from vmwright.arm.providers.compute.documents import Document
    from vmwright.arm.service import Service
    from vmwright.images.records import GalleryRecord


class Galleries:
    """Microsoft.Compute/galleries (``writing.Kind``)."""

    def __init__(self, service: Service) -> None:
        self._library = service.images.galleries
        self.collection = Collection(service, GALLERIES, find=self._find, below=self._below)

    def wish(self, call: Call, wanted: ResourceId, there: Thing | None) -> Wish:
        """Return what a request wants: a location, tags, a description and the like."""
        document = call.document()
        if call.method == "PATCH":
            return patched(document, wanted, there)
        GALLERY_NAME.check(wanted.name)
        location = location_of(document, GALLERIES)
        if there is not None and there.made_at is not None:
            check_stays(there.as_resource(there.made_at), location)
        name = {"uniqueName": unique_name(parse(str(wanted)))}
        properties = shapes.kept(properties_of(document)) | {"identifier": name}
        return Wish(location=location, tags=tags_of(document), properties=properties)

    async def make(self, document: Document, operation: Operation) -> datetime:  # noqa: ARG002 - a Kind's
        """Make a gallery, or change the tags of one."""
        return (await asyncio.to_thread(self._make, document)).created_at

    def check_removable(self, there: Thing) -> None:
        """Check that a gallery has no image definitions."""
        inside = self._library.definitions(parse(str(there.id)))
        check_empty([str(definition.id) for definition in inside])

    def remove(self, wanted: ResourceId) -> None:
        """Remove a gallery."""
        self._library.remove_gallery(parse(str(wanted)))

    def _make(self, document: Document) -> GalleryRecord:
        gallery, wish = parse(str(document.id)), document.wish
        if document.of is not None:
            return self._library.update_gallery(gallery, tags=wish.tags)
        return self._library.create_gallery(gallery, location=wish.location, tags=wish.tags)

    def _find(self, wanted: ResourceId) -> Record | None:
        found = self._library.find_gallery(parse(str(wanted)))
        return _record(found) if found else None

    def _below(self, _scope: ResourceId) -> Iterable[Record]:
        return map(_record, self._library.galleries())


def patched(document: dict[str, Any], wanted: ResourceId, there: Thing | None) -> Wish:
    """Return a resource with a patch in it; where its tags are given, they are those that it has then.

    :raises ArmError: there is none.
    """
    if there is None:
        raise missing(wanted)
    properties = shapes.patched(there.properties, properties_of(document))
    return Wish(
        location=there.body["location"],
        tags=tags_of(document) if "tags" in document else there.body["tags"],
        properties=shapes.kept(properties),
    )


def check_empty(inside: list[str]) -> None:
    """Check that nothing is in a resource that is to be removed.

    :param inside: the ids of what is.
    :raises ArmError: something is.
    """
    if inside:
        raise ArmError(
            409,
            "CannotDeleteResource",
            "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: "
            f"'{', '.join(inside[:5])}'. Please delete all nested resources before deleting this resource.",
            is_gateways=True,
        )


def _record(gallery: GalleryRecord) -> Record:
    return Record(gallery.as_resource(), gallery.created_at)
