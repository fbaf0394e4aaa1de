"""The marketplace's images: publishers, offers, SKUs, versions (azure-clients.md, section 4).

Unlike other lists of ARM these are plain arrays.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from vmwright.arm.checks import location_of
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import SUBSCRIPTION, Route
from vmwright.arm.providers.compute.names import NAMESPACE
from vmwright.arm.providers.compute.offers import Offers
from vmwright.sources.urn import LATEST, Urn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.http.call import Call
    from vmwright.arm.providers.compute.offers import Offered
    from vmwright.arm.service import Service

PUBLISHERS = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}/publishers"
OFFERS = f"{PUBLISHERS}/{{publisher}}/artifacttypes/vmimage/offers"
SKUS = f"{OFFERS}/{{offer}}/skus"
VERSIONS = f"{SKUS}/{{sku}}/versions"
# The parts of a name, and how the ids of images call them.
PARTS = ("publisher", "offer", "sku")
GIB = 1 << 30


def routes(service: Service) -> Iterator[Route]:
    """Give the ways to the marketplace."""
    shelves = _Shelves(Offers(service))
    for pattern in (PUBLISHERS, OFFERS, SKUS):
        yield Route(method="GET", pattern=pattern, handler=shelves.names)
    yield Route(method="GET", pattern=VERSIONS, handler=shelves.versions)
    yield Route(method="GET", pattern=f"{VERSIONS}/{{version}}", handler=shelves.version)


class _Shelves:
    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    async def names(self, call: Call) -> Answer:
        """List publishers, the offers of one, or the SKUs of an offer."""
        given = [call.names[part] for part in PARTS if part in call.names]
        families = await self._families(call, given)
        found: dict[str, list[str]] = {}
        for family in families:
            parts = [family.publisher, family.offer, family.sku][: len(given) + 1]
            found.setdefault(parts[-1].lower(), parts)
        return ok([_entry(call, parts) for parts in sorted(found.values())])

    async def versions(self, call: Call) -> Answer:
        """List the versions of a SKU."""
        found = _ordered(call, await self._versions(call))
        return ok([_entry(call, _parts(one)) | _expanded(call, one) for one in found])

    async def version(self, call: Call) -> Answer:
        """Show a version, or the newest one."""
        found = await self._versions(call)
        wanted = call.names["version"]
        fitting = found if wanted.lower() == LATEST else [one for one in found if one.name.version == wanted]
        if not fitting:
            raise _not_found()
        return ok({**_entry(call, _parts(fitting[-1])), "properties": _properties(fitting[-1])})

    async def _versions(self, call: Call) -> list[Offered]:
        (family,) = await self._families(call, [call.names[part] for part in PARTS])
        return await self._offers.versions(family)

    async def _families(self, call: Call, given: list[str]) -> list[Urn]:
        """Return the names that begin with what a call gives.

        :raises ArmError: there are none, or its location is none.
        """
        location_of({"location": call.names["location"]}, f"{NAMESPACE}/locations/publishers")
        lower = [part.lower() for part in given]
        found = [
            family
            for family in await asyncio.to_thread(self._offers.families)
            if [family.publisher.lower(), family.offer.lower(), family.sku.lower()][: len(lower)] == lower
        ]
        if not found:
            raise _not_found()
        return found


def _parts(offered: Offered) -> list[str]:
    name = offered.name
    return [name.publisher, name.offer, name.sku, name.version]


def _entry(call: Call, parts: list[str]) -> dict[str, Any]:
    names = call.names
    kinds = ("Publishers", "ArtifactTypes/VMImage/Offers", "Skus", "Versions")
    below = "".join(f"/{kind}/{part}" for kind, part in zip(kinds, parts, strict=False))
    place = f"/Subscriptions/{names['subscription']}/Providers/{NAMESPACE}/Locations/{names['location']}"
    return {"location": names["location"], "name": parts[-1], "id": place + below}


def _ordered(call: Call, offered: list[Offered]) -> list[Offered]:
    """Return versions in the order, and as many, as a call wants: oldest first, unless it says otherwise."""
    is_newest_first = re.fullmatch(r"name\s+desc", call.query.get("$orderby", "").strip().lower())
    found = list(reversed(offered)) if is_newest_first else offered
    most = call.query.get("$top", "")
    return found[: int(most)] if re.fullmatch(r"[0-9]{1,6}", most) else found


def _expanded(call: Call, offered: Offered) -> dict[str, Any]:
    """Return what ``$expand=properties`` adds; az wants the others of ``properties/<name>``, too."""
    is_wanted = call.query.get("$expand", "").lower().startswith("properties")
    return {"properties": _properties(offered)} if is_wanted else {}


def _properties(offered: Offered) -> dict[str, Any]:
    disk: dict[str, Any] = {"operatingSystem": offered.os_type.value}
    if offered.size_bytes is not None:
        disk["sizeInGb"] = -(-offered.size_bytes // GIB)
    return {
        "hyperVGeneration": offered.generation.value,
        "architecture": "x64",
        "osDiskImage": disk,
        "dataDiskImages": [],
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": False},
        "imageDeprecationStatus": {"imageState": "Active"},
    }


def _not_found() -> ArmError:
    return ArmError(404, "NotFound", "Artifact: VMImage was not found.")
