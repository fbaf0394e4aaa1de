"""A build, from its source to its run outputs: read this page and you know what vmwright does.

Each ``step`` is durable: what it gives is recorded, and a later attempt, after a crash or on another
host, goes on behind it. Between them the disk is what lasts: a committed layer after each customizer. What is
made on this host is claimed in the ledger first and registered for clean-up at once, so that an error, a
cancel or a time-out at any point takes everything down in reverse order.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from vmwright.builds import outputs
from vmwright.builds.customizing import customize
from vmwright.builds.finishing import finish_disk
from vmwright.builds.phases import phase
from vmwright.builds.validating import Verdict, validate
from vmwright.distributors.distributor import RunOutput
from vmwright.distributors.finished_image import FinishedImage
from vmwright.events import Phase
from vmwright.sources.base_disk import BaseDisk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from vmwright.builds.beginning import Beginning
    from vmwright.builds.build import Build
    from vmwright.builds.layers import Layers

Kept = TypeVar("Kept")


class Step(Protocol):
    """Does a durable step of a build."""

    async def __call__(self, name: str, kind: type[Kept], work: Callable[[], Awaitable[Kept]], /) -> Kept:
        """Return what the step gives, or gave to an earlier attempt.

        A step that was broken off is done again: its work must cope with what is there of it already.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Run outputs, those that failed with their error, and what the validations said of the image."""

    outputs: tuple[RunOutput, ...] = ()
    verdict: Verdict = field(default_factory=Verdict)


async def run_pipeline(build: Build, step: Step, cleanup: AsyncExitStack, beginning: Beginning) -> Results:
    """Build a template, or go on with it, and return what came of it.

    :param step: does one step, or returns what it gave to an earlier attempt.
    :param cleanup: is given all that must be removed at the end, by the caller, in reverse.
    :param beginning: what comes before the first step, which may have begun before the journal was there; its
        clean-up is the caller's, too.
    """
    found = await step("source", BaseDisk, beginning.source)
    with phase(build.events, Phase.FETCH):
        await step("fetch", type(None), beginning.fetched)
    ready = await beginning.prepared(found)
    base, layers, workshop = ready.base, ready.layers, ready.workshop
    if build.is_source_validated_only:
        with phase(build.events, Phase.VALIDATE):
            work = partial(validate, build, base, layers, ready.steps.validate)
            return Results(verdict=await step("validate", Verdict, work))
    if not layers.is_generalized:
        with phase(build.events, Phase.MACHINE):
            await beginning.machine()
    with phase(build.events, Phase.CUSTOMIZE):
        for one in ready.steps.customize:
            await step(f"customize {one.number}", type(None), partial(customize, build, workshop, one))
    with phase(build.events, Phase.GENERALIZE):
        await step("generalize", type(None), partial(finish_disk, build, base, workshop))
    image = finished(build, base, layers)
    verdict = Verdict()
    if ready.steps.validate:
        with phase(build.events, Phase.VALIDATE):
            of_image = dataclasses.replace(base, facts=image.facts)
            work = partial(validate, build, of_image, layers, ready.steps.validate)
            verdict = await step("validate", Verdict, work)
    with phase(build.events, Phase.DISTRIBUTE):
        distribution = outputs.Distribution(
            build, image, cleanup, made_before=ready.cache.image(image.disk), draft=ready.draft
        )
        made = [
            await step(f"distribute {one.name}", RunOutput, partial(distribution.make, one))
            for one in distribution.wanted
        ]
    return Results(outputs=tuple(made), verdict=verdict)


def finished(build: Build, base: BaseDisk, layers: Layers) -> FinishedImage:
    """Return what is known of the generalized disk."""
    disk = layers.generalized
    return FinishedImage(
        disk=disk.path,
        build_id=build.id,
        facts=dataclasses.replace(
            base.facts,
            size_bytes=layers.size_bytes,
            provisioning=disk.provisioning or base.facts.provisioning,
        ),
        source=base.builder_source,
        source_version=base.exact_version,
        plan=base.plan,
    )
