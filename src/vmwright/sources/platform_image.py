"""PlatformImage: a marketplace image, from the catalogue of this host, made here, or fetched."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.sources import builtin, fetching, marketplace, urn
from vmwright.sources.base_disk import BaseDisk
from vmwright.sources.catalogue import Kind
from vmwright.sources.keeping import teller

if TYPE_CHECKING:
    from vmwright.sources.catalogue import Catalogue, CatalogueEntry
    from vmwright.sources.context import SourceContext
    from vmwright.sources.marketplace import Marketplace, VendorImage
    from vmwright.sources.urn import Urn
    from vmwright.template.model import PlatformImage


async def resolve(source: PlatformImage, context: SourceContext) -> BaseDisk:
    """Return the disk that stands for a marketplace image; the tag is Azure's (reference §11.1).

    :raises SourceError: no disk stands for it, or it cannot be had.
    :raises UnsupportedError: it is known that nobody gives it away.
    """
    asked = urn.Urn(source.publisher, source.offer, source.sku, source.version)
    entry = await find(asked, context)
    artifact = await context.artifacts.fetch(entry.digest, progress=teller(context, f"fetching {entry.urn}"))
    tag = "::".join((source.publisher, source.offer, source.sku, source.version))
    exact = f" ({entry.urn.version})" if asked.is_latest else ""
    also = f", the same as {entry.same_as}" if entry.same_as else ""
    disk = BaseDisk(
        path=artifact.path,
        digest=artifact.digest,
        facts=entry.facts,
        exact_version=entry.urn.version,
        description=f"{entry.urn}: {entry.facts.os_name}{also}",
        builder_source=f"PlatformImage {tag}{exact}",
        made_at=artifact.created_at,
        plan=source.plan,
    )
    context.events.note(f"Source {disk.description}, {disk.age.days} days old{_renewal(entry)}")
    return disk


async def find(asked: Urn, context: SourceContext) -> CatalogueEntry:
    """Return the catalogue's entry for a name, made or fetched where that is known how.

    An exact version is taken from the catalogue. For ``latest`` (or none) it is, in this order: what the user
    added; the user's own marketplace.toml; the source that this host makes; the vendor's newest.

    :raises SourceError: no disk stands for it, or it cannot be had.
    :raises UnsupportedError: it is known that nobody gives it away.
    """
    found = context.catalogue.find(asked)
    is_exact = bool(asked.version) and not asked.is_latest
    if found and found.kind is Kind.ADDED:
        return found
    known = marketplace.load(context.settings.home)
    image = known.find(asked)
    if found and is_exact:
        _warn_of_age(image, context)
        return found
    if builtin.is_built_in(asked) and not (image and image.is_own):
        if found and found.kind is Kind.BUILT_IN:
            return found
        context.events.note(f"{asked} is made on this host now; later builds use it again")
        return await builtin.pull(asked, context)
    if image:
        _warn_of_age(image, context)
        return await (fetching.exact(asked, image, context) if is_exact else fetching.newest(image, context))
    refuse_unknown(asked, context.catalogue, known)
    return context.catalogue.get(asked)


def refuse_unknown(asked: Urn, catalogue: Catalogue, known: Marketplace) -> None:
    """Refuse, before anything starts, a name for which no disk is here and nobody is known to have one.

    :raises SourceError: it is not known; with the name that may have been meant.
    :raises UnsupportedError: it is known that nobody gives it away.
    """
    if catalogue.find(asked) or known.find(asked) or builtin.is_built_in(asked):
        return
    known.refuse_missing(asked)
    catalogue.get(asked, known=[image.name for image in known.images])


async def pull(asked: Urn, context: SourceContext) -> CatalogueEntry:
    """Make a built-in source anew, or fetch an image that a vendor publishes; it is kept for later builds.

    :raises SourceError: nobody publishes it, or it cannot be had.
    :raises UnsupportedError: it is known that nobody gives it away.
    """
    known = marketplace.load(context.settings.home)
    image = known.find(asked)
    if image and (image.is_own or not builtin.is_built_in(asked)):
        _warn_of_age(image, context)
        if asked.version and not asked.is_latest:
            return await fetching.exact(asked, image, context)
        return await fetching.newest(image, context)
    known.refuse_missing(asked)
    return await builtin.pull(asked, context)


def _warn_of_age(image: VendorImage | None, context: SourceContext) -> None:
    if image and image.end_of_life <= datetime.now(UTC).date():
        context.events.warn(
            f"{image.os} has had no free security updates since {image.end_of_life}: its packages may have "
            "moved to an archive"
        )


def _renewal(entry: CatalogueEntry) -> str:
    if entry.kind is Kind.BUILT_IN:
        return f"; vmwright sources pull {entry.urn.family} renews it"
    followed = urn.parse(entry.same_as) if entry.same_as else None
    if followed and followed.is_latest:
        return f"; vmwright sources pull {followed.family} renews it"
    return ""
