"""Finish: the customized disk becomes what is distributed, in its last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts.together import Together
from vmwright.builds import boot_files
from vmwright.builds.customizing import unless_lost
from vmwright.builds.generalize import agents_of, generalize

if TYPE_CHECKING:
    from vmwright.builds.build import Build
    from vmwright.builds.workshop import Workshop
    from vmwright.sources.base_disk import BaseDisk


async def finish_disk(build: Build, base: BaseDisk, workshop: Workshop) -> None:
    """Put the boot files in order, generalize, switch off, seal the last layer; unless that is done already.

    :raises StepError: the deprovisioning script failed.
    """
    if workshop.layers.is_generalized:
        return

    async def run() -> None:
        async with Together() as asked:
            agents = asked.start(agents_of(workshop.guest))
            changed = asked.start(boot_files.changed(build, workshop.machine))
        provisioning = agents.result().provisioning
        if changed.result():
            await boot_files.write(build, base, workshop, changed.result(), provisioning)
        await generalize(workshop.guest, build.events, agents.result(), script=workshop.deprovisioning)
        await workshop.seal(len(build.template.customize) + 1, provisioning)

    await unless_lost(build, workshop, run)
