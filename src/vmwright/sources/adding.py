"""Adding a disk to the catalogue: fetched, verified, inspected, made one whole qcow2, and only then named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.artifacts.files import sha256_of
from vmwright.downloads.urls import parse as parse_url
from vmwright.downloads.urls import shown
from vmwright.errors import SourceError
from vmwright.sources import platform_image, urn
from vmwright.sources.catalogue import SAME_AS
from vmwright.sources.keeping import keep, teller

if TYPE_CHECKING:
    from vmwright.sources.catalogue import CatalogueEntry
    from vmwright.sources.context import SourceContext
    from vmwright.sources.urn import Urn


async def add(name: str, disk: str, context: SourceContext, *, sha256: str | None = None) -> CatalogueEntry:
    """Let a disk stand for an image.

    :param name: ``publisher:offer:sku``, with a version or without (then ``1.<yyyymmdd>.<n>``).
    :param disk: a file (qcow2, raw, VHD, VHDX, VMDK; compressed or not), a URL with its SHA-256, or the
        name of another source, whose newest version is followed where it ends in ``:latest``.
    :raises SourceError: the name is taken or wrong, the disk is not there, is not what its checksum says,
        refers to other files, or holds no guest.
    :raises DownloadError: the URL cannot be fetched.
    """
    named = _name(name, context)
    if "://" in disk or disk.startswith("file:"):
        return await _add_url(named, disk, context, sha256=sha256)
    if not Path(disk).exists() and urn.looks_like_urn(disk):
        return await _add_name(named, urn.parse(disk), context)
    return await _add_file(
        named, Path(disk).absolute(), context, sha256=sha256, origin=str(Path(disk).absolute())
    )


def _name(name: str, context: SourceContext) -> Urn:
    named = urn.parse(name)
    if named.is_latest or not named.version:
        return replace(named, version=context.catalogue.next_version(named))
    context.catalogue.check_free(named)
    return named


async def _add_url(named: Urn, url: str, context: SourceContext, *, sha256: str | None) -> CatalogueEntry:
    public = shown(parse_url(url))
    if not sha256:
        raise SourceError(
            f"{public} needs a checksum: a disk is the base of everything built on it",
            target=public,
            hint=f"vmwright sources add {named.family} URL --sha256 SUM, with its maker's sum",
        )
    with context.staging() as folder:
        fetched = await context.downloader.fetch(
            url, folder / "fetched", sha256=sha256, what=f"the disk for {named}", origin=context.origin
        )
        return await _add_file(named, fetched.path, context, sha256=None, origin=public)


async def _add_file(
    named: Urn, disk: Path, context: SourceContext, *, sha256: str | None, origin: str
) -> CatalogueEntry:
    if not disk.is_file():
        raise SourceError(
            f"{disk} is not there, or is not a file",
            target=str(disk),
            hint="a source is a disk file, a URL, or the name of another source (publisher:offer:sku:latest)",
        )
    await _check_sum(disk, sha256, context)
    return await keep(named, disk, context, origin=origin, shown=disk.name)


async def _add_name(named: Urn, other: Urn, context: SourceContext) -> CatalogueEntry:
    entry = await platform_image.find(other, context)
    followed = f"{entry.urn.family}:{urn.LATEST}" if not other.version or other.is_latest else str(entry.urn)
    return context.catalogue.insert(
        named, digest=entry.digest, facts=entry.facts, origin=f"{SAME_AS}{entry.same_as or followed}"
    )


async def _check_sum(disk: Path, sha256: str | None, context: SourceContext) -> None:
    if not sha256:
        return
    actual = await sha256_of(disk, progress=teller(context, f"reading {disk.name}"))
    if actual != sha256.lower():
        raise SourceError(f"{disk} has the SHA-256 {actual}, not {sha256.lower()}", target=str(disk))
