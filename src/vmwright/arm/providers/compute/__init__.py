"""Microsoft.Compute: galleries, image definitions, versions and managed images; what the marketplace has.

galleries, definitions, versions, images     the four types: what a body may say, what is done for it
documents, collection                        what is kept where, and which of it is true
writing, reading, operations, shapes, names  what all types have in common
origins, imports, linked, regions, lives     where an image comes from, goes to, and how long it stays
marketplace, offers                          the images that others publish
contents                                     what resource groups have of all this
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.http.routing import SUBSCRIPTION, Route
from vmwright.arm.ids import ResourceId, parse
from vmwright.arm.providers.compute import marketplace, operations
from vmwright.arm.providers.compute.contents import ComputeContents
from vmwright.arm.providers.compute.definitions import Definitions
from vmwright.arm.providers.compute.galleries import Galleries
from vmwright.arm.providers.compute.images import ManagedImages
from vmwright.arm.providers.compute.names import (
    DEFINITION,
    GALLERIES,
    GALLERY,
    IMAGE,
    IMAGES,
    VERSION,
    gallery_id,
    image_id,
)
from vmwright.arm.providers.compute.operations import OF_GALLERIES, OF_IMAGES
from vmwright.arm.providers.compute.reading import Reading
from vmwright.arm.providers.compute.versions import Versions
from vmwright.arm.providers.compute.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmwright.arm.background import Background
    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.call import Call
    from vmwright.arm.providers.compute.linked import Rights
    from vmwright.arm.service import Service

    # Returns which resource, or what around resources, a call is about.
    Names = Callable[[Call], ResourceId]

__all__ = ["ComputeContents", "routes"]


def routes(service: Service, background: Background, rights: Rights) -> Iterator[Route]:
    """Give the ways into the provider, and let ``background`` make, change and remove what it has.

    :param rights: whether who imports an image may read what it is made of.
    """
    galleries, definitions = Galleries(service), Definitions(service)
    versions, images = Versions(service), ManagedImages(service)
    of_galleries, of_definitions = galleries.collection, definitions.collection
    for pattern, kind, around in (
        (GALLERY, galleries, None),
        (DEFINITION, definitions, of_galleries),
        (VERSION, versions, of_definitions),
    ):
        yield from _ways(
            pattern,
            _in_gallery,
            Writing(service, background, rights, kind, OF_GALLERIES),
            Reading(service.store, kind.collection, around),
        )
    reading = Reading(service.store, images.collection, None)
    yield from _ways(IMAGE, image_id, Writing(service, background, rights, images, OF_IMAGES), reading)
    yield _list(GALLERIES, Reading(service.store, of_galleries, None))
    yield _list(IMAGES, reading)
    yield from operations.routes(service)
    yield from marketplace.routes(service)


def _ways(pattern: str, names: Names, writing: Writing, reading: Reading) -> Iterator[Route]:
    """Give the ways to one resource, and to all that are with it in what is around it."""

    async def write(call: Call) -> Answer:
        return await writing.write(call, names(call))

    async def delete(call: Call) -> Answer:
        return await writing.delete(call, names(call))

    async def get(call: Call) -> Answer:
        return await reading.get(call, names(call))

    async def all_(call: Call) -> Answer:
        return await reading.list(call, _around(call))

    yield Route(method="PUT", pattern=pattern, handler=write)
    yield Route(method="PATCH", pattern=pattern, handler=write)
    yield Route(method="DELETE", pattern=pattern, handler=delete)
    yield Route(method="GET", pattern=pattern, handler=get)
    yield Route(method="GET", pattern=pattern.rpartition("/")[0], handler=all_)


def _list(resource_type: str, reading: Reading) -> Route:
    """Give the way to all resources of a type in the subscription."""

    async def all_(call: Call) -> Answer:
        return await reading.list(call, _around(call))

    return Route(method="GET", pattern=f"{SUBSCRIPTION}/providers/{resource_type}", handler=all_)


def _in_gallery(call: Call) -> ResourceId:
    return parse(str(gallery_id(call)))


def _around(call: Call) -> ResourceId:
    if "gallery" in call.names:
        return _in_gallery(call)
    return ResourceId(call.names["subscription"], call.names.get("group", ""))
