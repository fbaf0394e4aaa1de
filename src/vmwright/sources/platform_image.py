"""PlatformImage: a marketplace image, looked up in the catalogue of this host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.sources import builtin, urn
from vmwright.sources.base_disk import BaseDisk

if TYPE_CHECKING:
    from vmwright.sources.catalogue import CatalogueEntry
    from vmwright.sources.context import SourceContext
    from vmwright.template.model import PlatformImage


async def resolve(source: PlatformImage, context: SourceContext) -> BaseDisk:
    """Return the disk that stands for a marketplace image; a built-in one is made at its first use.

    ``latest`` is the highest version by number; the tag is Azure's (reference §11.1).

    :raises SourceError: no disk stands for it.
    """
    asked = urn.Urn(source.publisher, source.offer, source.sku, source.version)
    if not context.catalogue.find(asked) and builtin.is_built_in(asked):
        context.events.note(f"{asked} is made on this host now; later builds use it again")
        await builtin.pull(asked, context)
    entry = context.catalogue.get(asked)
    artifact = context.artifacts.get(entry.digest)
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
    )
    context.events.note(f"Source {disk.description}, {disk.age.days} days old{_renewal(entry)}")
    return disk


def _renewal(entry: CatalogueEntry) -> str:
    pulled = urn.parse(entry.same_as) if entry.same_as else entry.urn
    if entry.is_built_in or builtin.is_built_in(pulled):
        return f"; vmwright sources pull {pulled.family} renews it"
    return ""
