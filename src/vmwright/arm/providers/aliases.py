"""The short names of marketplace images, such as Ubuntu2204, which ``az vm image list`` reads."""

from __future__ import annotations

import asyncio
import functools
import re
from typing import TYPE_CHECKING

from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.routing import Route
from vmwright.sources import marketplace
from vmwright.sources.urn import LATEST
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmwright.arm.http.call import Call
    from vmwright.arm.service import Service
    from vmwright.sources.marketplace import VendorImage

WINDOWS, LINUX = "Windows", "Linux"
LEFT_OUT = re.compile(r"\bLTS\b|[^A-Za-z0-9]")


def routes(service: Service) -> Iterator[Route]:
    """Return the way to the aliases; az asks for them without a token (azure-clients.md, section 3.1)."""
    yield Route(method="GET", pattern="/aliases.json", handler=functools.partial(_get, service), is_open=True)


async def _get(service: Service, _call: Call) -> Answer:
    known = await asyncio.to_thread(marketplace.load, service.settings.home)
    return ok({"outputs": {"aliases": {"type": "object", "value": aliases(known.images)}}})


def aliases(images: Iterable[VendorImage]) -> dict[str, dict[str, dict[str, str]]]:
    """Return the aliases of images by kind of system.

    Of several images of one name, that of generation 2 counts, and of those the first.
    """
    found: dict[str, dict[str, dict[str, str]]] = {LINUX: {}, WINDOWS: {}}
    for image in sorted(images, key=lambda image: image.generation is not Generation.V2):
        kind = WINDOWS if image.os.startswith(WINDOWS) else LINUX
        found[kind].setdefault(
            LEFT_OUT.sub("", image.os),
            {
                "publisher": image.name.publisher,
                "offer": image.name.offer,
                "sku": image.name.sku,
                "version": LATEST,
                "architecture": "x64",
            },
        )
    return found
