"""The marketplace as this host knows it: the catalogue of sources, and what vendors offer just now.

Vendors are asked when somebody wants the versions of an image, and what they said is kept for a while. Where
one cannot be asked, what it said last counts, and what the catalogue has.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.errors import VmwrightError
from vmwright.events import Events
from vmwright.sources import marketplace, vendor_builds
from vmwright.sources.catalogue import BUILT_IN_SOURCES, Catalogue
from vmwright.sources.context import SourceContext
from vmwright.sources.urn import Urn, by_number
from vmwright.state.resources import Ledger
from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vmwright.arm.service import Service
    from vmwright.sources.catalogue import CatalogueEntry
    from vmwright.sources.marketplace import Marketplace, VendorImage

KEPT_SECONDS = 900.0
ATTEMPTS = 1
WINDOWS = "Windows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A version of an image, as far as it is known; ``size_bytes`` where its disk is here."""

    name: Urn
    os_type: OsType
    generation: Generation
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Told:
    """What one index of a vendor said: versions by family in lower case."""

    at: float
    versions: Mapping[str, tuple[str, ...]]


class Offers:
    """What there is to build from.

    :param clock: seconds that never go back.
    """

    def __init__(self, service: Service, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._catalogue = Catalogue(service.database, service.images.artifacts)
        self._clock = clock
        self._told: dict[str, _Told] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def families(self) -> list[Urn]:
        """Return all names of images, without versions: each once, whatever its case."""
        known = marketplace.load(self._service.settings.home)
        names = (
            *(image.name for image in known.images),
            *BUILT_IN_SOURCES,
            *(entry.urn for entry in self._catalogue.list()),
        )
        found: dict[str, Urn] = {}
        for name in names:
            found.setdefault(name.family.lower(), Urn(name.publisher, name.offer, name.sku))
        return sorted(found.values(), key=lambda name: name.family.lower())

    async def versions(self, family: Urn) -> list[Offered]:
        """Return the versions of an image, oldest first."""
        known = await asyncio.to_thread(marketplace.load, self._service.settings.home)
        image = known.find(family)
        kept = await asyncio.to_thread(self._kept, family)
        offered = await self._ask(image, known) if image else ()
        found = {version: _offered(family, version, image) for version in offered if image}
        found |= {entry.urn.version: _of_entry(entry) for entry in kept}
        return [found[version] for version in sorted(found, key=by_number)]

    def _kept(self, family: Urn) -> list[CatalogueEntry]:
        return [entry for entry in self._catalogue.list() if entry.urn.is_same_family(family)]

    async def _ask(self, image: VendorImage, known: Marketplace) -> tuple[str, ...]:
        """Return the versions that a vendor offers: all images of its index are read at once."""
        async with self._asking[image.index]:
            told = self._told.get(image.index)
            if told is None or self._clock() - told.at >= KEPT_SECONDS:
                told = _Told(self._clock(), await self._read(image, known) or (told.versions if told else {}))
                self._told[image.index] = told
        return told.versions.get(image.name.family.lower(), ())

    async def _read(self, image: VendorImage, known: Marketplace) -> Mapping[str, tuple[str, ...]] | None:
        service = self._service
        context = SourceContext.of(
            service.settings,
            service.database,
            service.images,
            events=Events(service.events.say),
            ledger=Ledger(service.database),
        )
        try:
            text = await vendor_builds.index_text(image, image.index, context, attempts=ATTEMPTS)
        except VmwrightError as error:
            service.events.warn(f"{image.site} cannot be asked for its images: {error.message}")
            return None
        beside = [other for other in known.images if other.index == image.index]
        return await asyncio.to_thread(_versions_in, text, beside)


def _versions_in(text: str, images: list[VendorImage]) -> Mapping[str, tuple[str, ...]]:
    return {
        image.name.family.lower(): tuple(build.version for build in vendor_builds.builds_in(text, image))
        for image in images
    }


def _offered(family: Urn, version: str, image: VendorImage) -> Offered:
    return Offered(
        name=Urn(family.publisher, family.offer, family.sku, version),
        os_type=OsType.WINDOWS if image.os.startswith(WINDOWS) else OsType.LINUX,
        generation=image.generation,
        size_bytes=None,
    )


def _of_entry(entry: CatalogueEntry) -> Offered:
    facts = entry.facts
    return Offered(
        name=entry.urn, os_type=facts.os_type, generation=facts.generation, size_bytes=facts.size_bytes
    )
