"""``vmwright sources``: the catalogue behind PlatformImage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.artifacts import ArtifactStore
from vmwright.cli.running import opened, run, shown_events
from vmwright.cli.screen import print_json, table
from vmwright.cli.words import age, size
from vmwright.images import open_images
from vmwright.sources import adding, builtin, marketplace, platform_image
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.context import SourceContext
from vmwright.sources.urn import parse
from vmwright.state.resources import Ledger
from vmwright.workers.reaper import reap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmwright.sources.catalogue import CatalogueEntry
    from vmwright.sources.marketplace import Marketplace


def list_sources(*, as_json: bool) -> None:
    """List the catalogue, newest first; then, as text only, what would be made or fetched."""
    with opened() as (settings, database):
        entries = Catalogue(database, ArtifactStore(settings.home, database)).list()
        known = marketplace.load(settings.home)
    if as_json:
        print_json([_document(entry) for entry in entries])
        return
    table(
        ("SOURCE", "OS", "GEN", "SIZE", "AGE", "ORIGIN"), [*map(_row, entries), *_known_rows(known, entries)]
    )


def add(urn: str, origin: str, *, sha256: str | None) -> None:
    """Add a disk to the catalogue under a name."""
    _change(lambda context: adding.add(urn, origin, context, sha256=sha256), "added")


def pull(urn: str) -> None:
    """Make a built-in source anew, or fetch what a vendor publishes under that name."""
    _change(lambda context: platform_image.pull(parse(urn), context), "pulled")


def remove(urn: str) -> None:
    """Remove an entry from the catalogue, and its disk where nothing else uses it."""

    async def work(context: SourceContext) -> CatalogueEntry:
        return context.catalogue.remove(parse(urn))

    _change(work, "removed")


def _change(work: Callable[[SourceContext], Awaitable[CatalogueEntry]], done: str) -> None:
    with opened() as (settings, database), shown_events(as_json_lines=False) as events:

        async def change() -> CatalogueEntry:
            await reap(database, events, settings=settings)
            images = open_images(settings, database)
            context = SourceContext.of(settings, database, images, events=events, ledger=Ledger(database))
            return await work(context)

        entry = run(change())
    print(f"{done} {entry.urn}: {entry.facts.os_name}, generation {entry.facts.generation}")


def _row(entry: CatalogueEntry) -> tuple[str, ...]:
    facts = entry.facts
    old = age(datetime.now(UTC) - entry.added_at)
    return (str(entry.urn), facts.os_name, facts.generation, size(facts.size_bytes), old, entry.origin)


def _known_rows(known: Marketplace, entries: list[CatalogueEntry]) -> list[tuple[str, ...]]:
    """Return rows for the names that nothing stands for yet: made here, fetched, and not to be had."""
    here = {entry.urn.family.lower() for entry in entries}
    made = [name for name in builtin.SOURCES if name.family.lower() not in here]
    rows: list[tuple[str, ...]] = [
        (str(name), "-", "-", "-", "-", "built in: made at its first use, or by sources pull")
        for name in made
    ]
    taken = here | {name.family.lower() for name in made}
    for image in known.images:
        if image.name.family.lower() not in taken:
            taken.add(image.name.family.lower())
            origin = f"to be fetched from {image.site}: at its first use, or by sources pull"
            rows.append((str(image.name), image.os, image.generation, "-", "-", origin))
    rows += [
        (names, "-", "-", "-", "-", f"to be added: {missing.what}")
        for missing in known.missing
        for names in missing.names
    ]
    return rows


def _document(entry: CatalogueEntry) -> dict[str, object]:
    return {
        "id": str(entry.urn),
        "osType": entry.facts.os_type,
        "osName": entry.facts.os_name,
        "generation": entry.facts.generation,
        "sizeBytes": entry.facts.size_bytes,
        "sha256": entry.digest,
        "origin": entry.origin,
        "addedAt": entry.added_at.isoformat(),
    }
