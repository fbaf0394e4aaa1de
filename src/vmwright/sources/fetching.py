"""Images that vendors publish: found by version, fetched, verified, kept under their marketplace names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmwright.downloads import Origin
from vmwright.downloads.urls import parse as parse_url
from vmwright.downloads.urls import shown
from vmwright.errors import DownloadError, SourceError
from vmwright.sources import vendor_builds
from vmwright.sources.catalogue import FETCHED, Kind
from vmwright.sources.keeping import keep, keep_as
from vmwright.sources.unpacking import LARGEST
from vmwright.sources.urn import LATEST

if TYPE_CHECKING:
    from vmwright.sources.catalogue import CatalogueEntry
    from vmwright.sources.context import SourceContext
    from vmwright.sources.marketplace import VendorImage
    from vmwright.sources.urn import Urn
    from vmwright.sources.vendor_builds import VendorBuild

# Without the vendor the build goes on with what is here, so it is not asked for long.
ATTEMPTS_WITH_ONE_KEPT = 2


async def newest(image: VendorImage, context: SourceContext) -> CatalogueEntry:
    """Return the newest image of a vendor: only its index is fetched where that is here already.

    Where the vendor cannot be asked, the newest that was fetched earlier, with a warning.

    :raises SourceError: the vendor cannot be asked and none is here; or what it has cannot be used.
    :raises DownloadError: the image cannot be had, or is not what its checksum says.
    """
    kept = context.catalogue.find(replace(image.name, version=LATEST))
    if kept is None or kept.kind is not Kind.FETCHED:
        return await _fetched(await _asked(image, context), image, context)
    try:
        build = await vendor_builds.newest(image, context, attempts=ATTEMPTS_WITH_ONE_KEPT)
    except DownloadError as error:
        context.events.warn(
            f"{image.site} cannot be asked for newer images of {image.os}, so {kept.urn} is used, which was "
            f"fetched on {kept.added_at:%Y-%m-%d}: {error.message}"
        )
        return kept
    return await _fetched(build, image, context)


async def exact(asked: Urn, image: VendorImage, context: SourceContext) -> CatalogueEntry:
    """Fetch an exact version of an image.

    :raises SourceError: the vendor has no such version (those it has are told), or cannot be asked.
    :raises DownloadError: the image cannot be had, or is not what its checksum says.
    """
    try:
        build = await vendor_builds.of_version(asked, image, context)
    except DownloadError as error:
        raise _unreachable(asked, image, error) from error
    return await _fetched(build, image, context)


async def _asked(image: VendorImage, context: SourceContext) -> VendorBuild:
    try:
        return await vendor_builds.newest(image, context)
    except DownloadError as error:
        raise _unreachable(image.name, image, error) from error


async def _fetched(build: VendorBuild, image: VendorImage, context: SourceContext) -> CatalogueEntry:
    named = replace(image.name, version=build.version)
    if found := context.catalogue.find(named):
        return found
    public = shown(parse_url(build.image))
    origin = f"{FETCHED}{public}"
    # the names of both generations, and older names, stand for one file
    if same := next((entry for entry in context.catalogue.list() if entry.origin == origin), None):
        return await keep_as(named, same, context, generation=image.generation)
    context.events.note(f"{named} is fetched from {public}; later builds use it again")
    what = f"{image.os} ({build.file})"
    wanted = await vendor_builds.sum_of(build, image, context)
    with context.staging() as folder:
        fetched = await context.downloader.fetch(
            build.image,
            folder / build.file,
            sha256=wanted.digest if wanted.algorithm == "sha256" else None,
            sha512=wanted.digest if wanted.algorithm == "sha512" else None,
            what=what,
            origin=Origin.LOCAL,
            max_bytes=LARGEST,
        )
        try:
            return await keep(
                named,
                fetched.path,
                context,
                origin=origin,
                shown=build.file,
                generation=image.generation,
            )
        except SourceError:
            if found := context.catalogue.find(named):  # another build was quicker
                return found
            raise


def _unreachable(asked: Urn, image: VendorImage, error: DownloadError) -> SourceError:
    advice = f"{error.hint}; or bring" if error.hint else "bring"
    return SourceError(
        f"{image.name} is {image.os}, which is not on this host, and its vendor cannot be asked: "
        f"{error.message}",
        target="properties.source",
        hint=f"{advice} a disk: vmwright sources add {asked.to_add} DISK",
    )
