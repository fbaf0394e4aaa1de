"""A build, from its source to its run outputs: read this page and you know what vmwright does.

Each phase is a plain coroutine; what it makes is claimed in the ledger first and registered for clean-up
at once, so that an error, a cancel or a time-out at any point takes everything down in reverse order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.builds import boot_files, generalize, inputs, outputs
from vmwright.builds.customizing import customize
from vmwright.builds.hosting import machine_for
from vmwright.builds.layers import Layers
from vmwright.builds.stage import Stage
from vmwright.builds.validating import validate
from vmwright.distributors.finished_image import FinishedImage
from vmwright.events import Phase, PhaseEnded, PhaseStarted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AsyncExitStack

    from vmwright.artifacts.facts import Provisioning
    from vmwright.builds.build import Build
    from vmwright.customizers.kinds import ReadyStep
    from vmwright.distributors.distributor import RunOutput
    from vmwright.errors import BuildError
    from vmwright.sources.base_disk import BaseDisk


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Run outputs, those that failed with their error, and why the image is not valid (None: it is)."""

    outputs: tuple[RunOutput, ...] = ()
    invalid: BuildError | None = None


async def run_pipeline(build: Build, cleanup: AsyncExitStack) -> Results:
    """Build a template and return what came of it.

    :param cleanup: is given all that must be removed at the end, by the caller, in reverse.
    """
    with phase(build, Phase.SOURCE, inputs.describe(build.template.source)):
        base = await inputs.find_source(build)
    with phase(build, Phase.FETCH):
        steps = await inputs.fetch_steps(build, cleanup)
    if build.template.validate and build.template.validate.source_validation_only:
        return Results(invalid=await validate_source(build, base, steps.validate, cleanup))
    with phase(build, Phase.MACHINE):
        stage = await start(build, base, cleanup)
    with phase(build, Phase.CUSTOMIZE):
        await customize(build, stage, steps.customize)
        stage = await boot_files.finish(build, base, stage, cleanup)
    with phase(build, Phase.GENERALIZE):
        provisioning = await generalize.provisioning_of(stage.guest)
        await generalize.generalize(stage.guest, build.folder, build.events)
        await stage.machine.power_off()
    image = finished(build, base, stage.layers, provisioning)
    invalid = await validate_image(build, base, image, stage.layers, steps.validate, cleanup)
    with phase(build, Phase.DISTRIBUTE):
        return Results(outputs=await outputs.distribute_all(build, image), invalid=invalid)


async def start(build: Build, base: BaseDisk, cleanup: AsyncExitStack) -> Stage:
    """Make the disk, start the machine on it, put the deprovisioning script into the guest."""
    layers = Layers(build, base)
    cleanup.push_async_callback(layers.remove)
    await layers.begin()
    machine = await machine_for(build, base)
    cleanup.push_async_callback(machine.destroy)
    guest = await machine.start(layers.top)
    await generalize.write_script(guest, build.folder)
    return Stage(machine, guest, layers)


def finished(build: Build, base: BaseDisk, layers: Layers, provisioning: Provisioning) -> FinishedImage:
    """Return what is known of the generalized disk."""
    return FinishedImage(
        disk=layers.top,
        build_id=build.id,
        facts=dataclasses.replace(base.facts, size_bytes=layers.size_bytes, provisioning=provisioning),
        source=base.builder_source,
        source_version=base.exact_version,
        plan=base.plan,
    )


async def validate_image(
    build: Build,
    base: BaseDisk,
    image: FinishedImage,
    layers: Layers,
    steps: tuple[ReadyStep, ...],
    cleanup: AsyncExitStack,
) -> BuildError | None:
    """Run the template's validations, where it has any, on an overlay of the finished image."""
    if not steps:
        return None
    with phase(build, Phase.VALIDATE):
        await layers.stack()
        return await validate(build, dataclasses.replace(base, facts=image.facts), layers, steps, cleanup)


async def validate_source(
    build: Build, base: BaseDisk, steps: tuple[ReadyStep, ...], cleanup: AsyncExitStack
) -> BuildError | None:
    """Run the template's validations on an overlay of its source, and nothing else (sourceValidationOnly)."""
    with phase(build, Phase.VALIDATE):
        layers = Layers(build, base)
        cleanup.push_async_callback(layers.remove)
        await layers.begin()
        return await validate(build, base, layers, steps, cleanup)


@contextlib.contextmanager
def phase(build: Build, name: Phase, detail: str = "") -> Iterator[None]:
    """Say that a phase begins and, where it succeeds, how long it took."""
    begun = time.monotonic()
    build.events.say(PhaseStarted(phase=name, detail=detail))
    yield
    build.events.say(PhaseEnded(phase=name, seconds=time.monotonic() - begun))
