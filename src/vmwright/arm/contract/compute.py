"""Microsoft.Compute: galleries, image definitions, versions, managed images, the marketplace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.contract.operation import ODATA, Operation
from vmwright.arm.http.routing import SUBSCRIPTION
from vmwright.arm.providers.compute.marketplace import OFFERS, PUBLISHERS, SKUS, VERSIONS
from vmwright.arm.providers.compute.names import (
    DEFINITION,
    GALLERIES,
    GALLERY,
    IMAGE,
    IMAGES,
    NAMESPACE,
    VERSION,
)
from vmwright.arm.providers.compute.operations import OF_GALLERIES, OF_IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

RESOURCE, RESOURCES = {200: "Resource"}, {200: "Resource[]"}
MADE = {200: "Resource", 201: "Resource"}
GONE = {202: "", 204: ""}
ENTRIES = {200: "MarketplaceEntries"}
ORDERED = ("$expand", "$top", "$orderby")


def described() -> Iterator[Operation]:
    """Give the operations."""
    for pattern, one, many in (
        (GALLERY, "a gallery", "the galleries of a resource group"),
        (DEFINITION, "an image definition", "the image definitions of a gallery"),
        (VERSION, "a version", "the versions of an image definition"),
        (IMAGE, "a managed image", "the managed images of a resource group"),
    ):
        yield Operation(
            "PUT", pattern, f"Make {one}, or change it", MADE, "ComputeResource", polled=(200, 201)
        )
        yield Operation("PATCH", pattern, f"Change {one}", RESOURCE, "Tagged", polled=(200,))
        yield Operation("DELETE", pattern, f"Delete {one}", GONE, polled=(202,))
        yield Operation("GET", pattern, f"Show {one}", RESOURCE, query=("$expand",))
        yield Operation("GET", pattern.rpartition("/")[0], f"List {many}", RESOURCES, query=ODATA)
    for kind, about in ((GALLERIES, "galleries"), (IMAGES, "managed images")):
        pattern = f"{SUBSCRIPTION}/providers/{kind}"
        yield Operation("GET", pattern, f"List the {about} of the subscription", RESOURCES, query=ODATA)
    place = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}"
    polled = {200: "OperationStatus", 202: ""}
    for collection, about in ((OF_GALLERIES, "of galleries"), (OF_IMAGES, "of managed images")):
        pattern = f"{place}/{collection}/{{operation}}"
        yield Operation("GET", pattern, f"Show how an operation {about} goes", polled, query=("monitor",))
    for pattern, about in ((PUBLISHERS, "publishers"), (OFFERS, "offers"), (SKUS, "SKUs")):
        yield Operation("GET", pattern, f"List the {about} of the marketplace", ENTRIES)
    yield Operation("GET", VERSIONS, "List the versions of a marketplace image", ENTRIES, query=ORDERED)
    yield Operation("GET", f"{VERSIONS}/{{version}}", "Show a version of a marketplace image")
