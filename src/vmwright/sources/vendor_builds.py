"""What a vendor offers: its builds, read from its index, and the checksum of one."""

from __future__ import annotations

import asyncio
import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.downloads import Origin
from vmwright.downloads.retries import ATTEMPTS
from vmwright.errors import SourceError
from vmwright.sources.checksums import find_sum
from vmwright.sources.patterns import fill, form_of
from vmwright.sources.urn import by_number

if TYPE_CHECKING:
    from vmwright.sources.checksums import Sum
    from vmwright.sources.context import SourceContext
    from vmwright.sources.marketplace import VendorImage
    from vmwright.sources.urn import Urn

MIB = 1 << 20
INDEX_BYTES = 128 * MIB
CHECKSUM_BYTES = 8 * MIB
NEIGHBOURS = 3
# characters of a version; a pattern takes long over many
LONGEST = 64


@dataclass(frozen=True, slots=True)
class VendorBuild:
    """A build of a vendor: its version here, the addresses of its disk and of its checksums."""

    version: str
    image: str
    checksums: str

    @property
    def file(self) -> str:
        """The name of its disk, as its checksum file has it."""
        return self.image.rpartition("/")[2].partition("?")[0]


async def newest(image: VendorImage, context: SourceContext, *, attempts: int = ATTEMPTS) -> VendorBuild:
    """Return the newest build that a vendor's index names.

    :raises DownloadError: the index cannot be had.
    :raises SourceError: it names none.
    """
    builds = await _offered(image, image.index, context, attempts=attempts)
    if not builds:
        raise _no_builds(image, image.index)
    return builds[-1]


async def of_version(asked: Urn, image: VendorImage, context: SourceContext) -> VendorBuild:
    """Return the build of an exact version.

    :raises DownloadError: the vendor's index cannot be had.
    :raises SourceError: there is no such version; with those that there are.
    """
    if len(asked.version) > LONGEST or not form_of(image.version).fullmatch(asked.version):
        raise SourceError(
            f"{asked.version} is no version of {image.os} as {image.site} numbers it",
            target="properties.source.version",
            hint=f"write latest, or a version like {_example(image)}; or bring a disk: "
            f"vmwright sources add {asked} DISK",
        )
    builds: list[VendorBuild] = []
    for address in filter(None, (image.index, image.older)):
        builds += await _offered(image, address, context, attempts=ATTEMPTS)
        if found := next((build for build in builds if build.version == asked.version), None):
            return found
    if not builds:
        raise _no_builds(image, image.index)
    near = _near(asked.version, builds)
    raise SourceError(
        f"{image.site} has no {image.os} of version {asked.version}",
        target="properties.source.version",
        hint=f"there are {', '.join(near)}: write one of them or latest, or let one stand for it: "
        f"vmwright sources add {asked} {asked.family}:{near[-1]}",
    )


def _example(image: VendorImage) -> str:
    """Return what versions of an image look like: ``18.04.<date><respin>``."""
    groups = {name: f"<{name}>" for name in image.builds.groupindex}
    return fill(image.version, groups)


async def sum_of(build: VendorBuild, image: VendorImage, context: SourceContext) -> Sum:
    """Return what the vendor says that a build's disk must have.

    :raises DownloadError: the checksum file cannot be had.
    :raises SourceError: the disk is not in it.
    """
    text = await _text(build.checksums, f"the checksum file of {image.os}", context, max_bytes=CHECKSUM_BYTES)
    of_one_file = build.checksums.rpartition("/")[2].startswith(build.file)
    if found := find_sum(text, build.file, alone=of_one_file):
        return found
    raise SourceError(
        f"{build.checksums} has no SHA-256 or SHA-512 of {build.file}",
        target=build.checksums,
        hint="the vendor may be publishing just now: try again later, or name an exact version",
    )


async def _offered(
    image: VendorImage, address: str, context: SourceContext, *, attempts: int
) -> list[VendorBuild]:
    """Return the builds at an address, oldest first."""
    text = await index_text(image, address, context, attempts=attempts)
    return await asyncio.to_thread(builds_in, text, image)


async def index_text(image: VendorImage, address: str, context: SourceContext, *, attempts: int) -> str:
    """Return what a vendor has at an address, for ``builds_in``: often that of several images.

    :raises DownloadError: it cannot be had.
    """
    what = f"the list of {image.os} images"
    return await _text(address, what, context, max_bytes=INDEX_BYTES, attempts=attempts)


def builds_in(text: str, image: VendorImage) -> list[VendorBuild]:
    """Return the builds of an image that a text names, oldest first."""
    builds = {}
    for found in image.builds.finditer(text):
        groups = found.groupdict(default="0")
        version = fill(image.version, groups)
        builds[version] = VendorBuild(version, fill(image.image, groups), fill(image.checksums, groups))
    return [builds[version] for version in sorted(builds, key=by_number)]


async def _text(
    address: str, what: str, context: SourceContext, *, max_bytes: int, attempts: int = ATTEMPTS
) -> str:
    # LOCAL: the address is the operator's, from a file of this host; no template names it
    with context.staging() as folder:
        fetched = await context.downloader.fetch(
            address,
            folder / "text",
            sha256=None,
            what=what,
            origin=Origin.LOCAL,
            max_bytes=max_bytes,
            attempts=attempts,
        )
        return await asyncio.to_thread(fetched.path.read_text, errors="replace")


def _near(version: str, builds: list[VendorBuild]) -> list[str]:
    """Return the versions around one that is not there, and the newest, oldest first."""
    versions = sorted({build.version for build in builds}, key=by_number)
    place = bisect.bisect(versions, by_number(version), key=by_number)
    around = versions[max(0, place - NEIGHBOURS) : place + NEIGHBOURS]
    return around if versions[-1] in around else [*around, versions[-1]]


def _no_builds(image: VendorImage, address: str) -> SourceError:
    return SourceError(
        f"{address} names no build of {image.os}",
        target=address,
        hint="the vendor may publish in another way now: name it in marketplace.toml, or use vmwright "
        f"sources add {image.name} DISK",
    )
