"""A build, from its source to its run outputs: read this page and you know what vmwright does.

Each phase is a plain coroutine; what it makes is claimed in the ledger first and registered for clean-up
at once, so that an error, a cancel or a time-out at any point takes everything down in reverse order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING

from vmwright.builds import boot_files, generalize, inputs, outputs
from vmwright.builds.customizing import customize
from vmwright.builds.hosting import machine_for
from vmwright.builds.layers import Layers
from vmwright.builds.stage import Stage
from vmwright.distributors.distributor import FinishedImage
from vmwright.events import Phase, PhaseEnded, PhaseStarted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AsyncExitStack

    from vmwright.builds.build import Build
    from vmwright.distributors.distributor import RunOutput
    from vmwright.sources.base_disk import BaseDisk


async def run_pipeline(build: Build, cleanup: AsyncExitStack) -> tuple[RunOutput, ...]:
    """Build a template and return what its distributors made; those that failed carry their error.

    :param cleanup: is given all that must be removed at the end, by the caller, in reverse.
    """
    with phase(build, Phase.SOURCE, inputs.describe(build.template.source)):
        base = await inputs.find_source(build)
    with phase(build, Phase.FETCH):
        steps = await inputs.fetch_steps(build)
    with phase(build, Phase.MACHINE):
        stage = await start(build, base, cleanup)
    with phase(build, Phase.CUSTOMIZE):
        await customize(build, stage, steps)
        stage = await boot_files.finish(build, base, stage, cleanup)
    with phase(build, Phase.GENERALIZE):
        await generalize.generalize(stage.guest, build.folder, build.events)
        await stage.machine.power_off()
    with phase(build, Phase.DISTRIBUTE):
        image = finished(build, base, stage.layers)
        return await outputs.distribute_all(build, image)


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


def finished(build: Build, base: BaseDisk, layers: Layers) -> FinishedImage:
    """Return what is known of the generalized disk."""
    return FinishedImage(
        disk=layers.top,
        build_id=build.id,
        facts=dataclasses.replace(base.facts, size_bytes=layers.size_bytes),
        source=base.builder_source,
    )


@contextlib.contextmanager
def phase(build: Build, name: Phase, detail: str = "") -> Iterator[None]:
    """Say that a phase begins and, where it succeeds, how long it took."""
    begun = time.monotonic()
    build.events.say(PhaseStarted(phase=name, detail=detail))
    yield
    build.events.say(PhaseEnded(phase=name, seconds=time.monotonic() - begun))
