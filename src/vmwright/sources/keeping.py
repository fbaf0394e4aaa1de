"""Taking a disk in: unpacked, looked into, made one whole qcow2 of the store, and only then named."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vmwright.disks.conversion import convert
from vmwright.disks.inspect import inspect
from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import SourceError
from vmwright.events import Progress
from vmwright.sources.unpacking import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmwright.artifacts import Artifact
    from vmwright.artifacts.facts import ImageFacts
    from vmwright.artifacts.files import ProgressSink
    from vmwright.disks.inspect import DiskFacts
    from vmwright.sources.catalogue import CatalogueEntry
    from vmwright.sources.context import SourceContext
    from vmwright.sources.urn import Urn
    from vmwright.template.model import Generation


async def keep(
    named: Urn,
    disk: Path,
    context: SourceContext,
    *,
    origin: str,
    shown: str,
    generation: Generation | None = None,
) -> CatalogueEntry:
    """Take a disk into the catalogue.

    :param shown: what people call it.
    :param generation: what the image must be; without it, what the disk says.
    :raises SourceError: it refers to other files, holds no guest, or does not boot as that generation.
    """
    artifact, facts = await take_in(
        disk, context, shown=shown, as_image=lambda found: _as_generation(found, generation, named)
    )
    return context.catalogue.insert(named, digest=artifact.digest, facts=facts, origin=origin)


async def take_in(
    disk: Path, context: SourceContext, *, shown: str, as_image: Callable[[DiskFacts], ImageFacts]
) -> tuple[Artifact, ImageFacts]:
    """Make a disk that somebody brings one whole qcow2 of the store; return that, and what the disk is.

    :param shown: what people call it.
    :param as_image: returns what it is as an image, and raises where it cannot be one.
    :raises SourceError: it refers to other files, or holds no guest.
    """
    with context.staging() as folder:
        plain = await unpacked(disk, folder, context.events)
        facts = as_image(await inspect(plain, work=folder, ledger=context.ledger))
        whole = folder / "whole.qcow2"
        await convert(plain, whole, to=DiskFormat.QCOW2, on_progress=teller(context, f"converting {shown}"))
        return await context.artifacts.adopt(whole, DiskFormat.QCOW2.value), facts


async def keep_as(
    named: Urn, entry: CatalogueEntry, context: SourceContext, *, generation: Generation
) -> CatalogueEntry:
    """Let a disk that is in the catalogue already stand for another name, as an image of a generation.

    :raises SourceError: it does not boot as that generation.
    """
    with context.staging() as folder:
        kept = await context.artifacts.fetch(entry.digest, progress=teller(context, f"fetching {entry.urn}"))
        found = await inspect(kept.path, work=folder, ledger=context.ledger)
    facts = _as_generation(found, generation, named)
    return context.catalogue.insert(named, digest=entry.digest, facts=facts, origin=entry.origin)


def teller(context: SourceContext, what: str) -> ProgressSink:
    """Return what says how far a piece of work is."""
    return lambda done, total: context.events.say(Progress(what=what, done=done, total=total))


def _as_generation(found: DiskFacts, generation: Generation | None, named: Urn) -> ImageFacts:
    if generation is None:
        return found.image
    if generation not in found.boots:
        boots = " and ".join(sorted(found.boots))
        raise SourceError(
            f"{named.family} is of generation {generation}, but its disk boots as {boots} only",
            target=str(named),
            hint="use the name of the other generation, or name it so in marketplace.toml",
        )
    return dataclasses.replace(found.image, generation=generation)
