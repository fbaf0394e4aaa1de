"""Managed images: imported from a disk, shown, listed, tagged, removed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vmwright.arm.checks import check_stays, location_of, tags_of
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.compute import origins, shapes
from vmwright.arm.providers.compute.blobs import blobs_of
from vmwright.arm.providers.compute.collection import Collection, Record
from vmwright.arm.providers.compute.definitions import CHOICES
from vmwright.arm.providers.compute.documents import Wish
from vmwright.arm.providers.compute.galleries import patched
from vmwright.arm.providers.compute.imports import Brought, Expected, bring
from vmwright.arm.providers.compute.names import IMAGE_NAME, IMAGES, invalid, properties_of
from vmwright.arm.providers.compute.origins import Origin
from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation
    from vmwright.arm.providers.compute.collection import Thing
    from vmwright.arm.providers.compute.documents import Document
    from vmwright.arm.service import Service
    from vmwright.images import ManagedImageRecord

FIXED = ("osType", "osState", "blobUri")


class ManagedImages:
    """Microsoft.Compute/images (``writing.Kind``)."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._library = service.images.managed
        self.collection = Collection(service, IMAGES, find=self._find, below=self._below)

    def wish(self, call: Call, wanted: ResourceId, there: Thing | None) -> Wish:
        """Return what a request wants: a disk to make an image of, or other tags for one."""
        document = call.document()
        given = properties_of(document)
        if call.method == "PATCH":
            wish = patched({**document, "properties": {}}, wanted, there)
        else:
            IMAGE_NAME.check(wanted.name)
            wish = Wish(
                location=location_of(document, IMAGES), tags=tags_of(document), properties=shapes.kept(given)
            )
        if there is None or there.made_at is None:
            return _new(wish)
        check_stays(there.as_resource(there.made_at), wish.location)
        _check_stays_itself(there.properties, given)
        return Wish(location=wish.location, tags=wish.tags, properties=shapes.kept(there.properties))

    async def make(self, document: Document, operation: Operation) -> datetime:  # noqa: ARG002 - a Kind's
        """Import an image, or change the tags of one."""
        wish, image_id = document.wish, str(document.id)
        if wish.origin is None:
            updated = await asyncio.to_thread(self._library.update, image_id, tags=wish.tags)
            return updated.created_at
        generation = wish.properties.get("hyperVGeneration")
        expected = Expected(
            what=f"The managed image {document.id.name}",
            os_type=OsType(wish.properties["storageProfile"]["osDisk"]["osType"]),
            generation=Generation(generation) if generation else None,
        )
        brought = await bring(Origin.kept(wish.origin), expected, self._service)
        return (await asyncio.to_thread(self._put, document, brought)).created_at

    def check_removable(self, there: Thing) -> None:
        """Allow it: what a build stands on is kept until it ends."""

    def remove(self, wanted: ResourceId) -> None:
        """Remove an image."""
        self._library.remove(str(wanted))

    def _put(self, document: Document, brought: Brought) -> ManagedImageRecord:
        try:
            return self._library.put(
                str(document.id),
                location=document.wish.location,
                artifact=brought.artifact,
                facts=brought.facts,
                tags=document.wish.tags,
                writing=self._service.database.session,
            )
        except Exception:
            self._service.images.artifacts.remove_unused(brought.artifact.digest)
            raise

    def _find(self, wanted: ResourceId) -> Record | None:
        found = self._library.find(str(wanted))
        return next(self._records([found])) if found else None

    def _below(self, _scope: ResourceId) -> Iterable[Record]:
        return self._records(self._library.list())

    def _records(self, images: Sequence[ManagedImageRecord]) -> Iterator[Record]:
        blobs = blobs_of((image.build_id for image in images), self._service)
        for image in images:
            blob = blobs.get(image.build_id or "")
            storage = {"storageProfile": {"osDisk": {"blobUri": blob["uri"]}}} if blob else {}
            yield Record(image.as_resource(), image.created_at, usual=storage)


def _new(wish: Wish) -> Wish:
    """Return what is kept of an image that is to be made: its origin apart, with what is secret in that."""
    properties = wish.properties
    origin = origins.of_image(properties)
    disk = properties.get("storageProfile", {}).get("osDisk", {})
    if origin is None or not disk.get("osType"):
        name = "osDisk.osType" if origin else "osDisk.blobUri"
        raise invalid(name, f"Required parameter '{name}' is missing (null).")
    if disk["osType"] not in CHOICES["osType"]:
        raise invalid("osDisk.osType", f"'{disk['osType']}' is none of {', '.join(CHOICES['osType'])}.")
    if disk.get("osState", "Generalized") != "Generalized":
        raise invalid("osDisk.osState", "Images are made of generalized disks: osState is 'Generalized'.")
    if properties.get("hyperVGeneration", "V1") not in CHOICES["hyperVGeneration"]:
        raise invalid("hyperVGeneration", "The hyperVGeneration of an image is V1 or V2.")
    shown = {**disk, "osState": "Generalized", "blobUri": origins.public(origin.value)}
    storage = {**properties["storageProfile"], "osDisk": shown}
    return Wish(
        location=wish.location,
        tags=wish.tags,
        properties={**properties, "storageProfile": storage},
        origin=origin.to_keep(),
    )


def _check_stays_itself(there: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Check that a request which names a disk names the one that the image is made of.

    :raises ArmError: it names another one.
    """
    origin = origins.of_image(given)
    before = there["storageProfile"]["osDisk"]
    after = dict((given.get("storageProfile") or {}).get("osDisk") or {})
    if origin is not None:
        after["blobUri"] = origins.public(origin.value)
    changed = [f"osDisk.{name}" for name in FIXED if after.get(name) not in (None, before.get(name))]
    if given.get("hyperVGeneration") not in (None, there.get("hyperVGeneration")):
        changed.append("hyperVGeneration")
    if changed:
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            f"Changing property '{changed[0]}' is not allowed.",
            target=changed[0],
        )
