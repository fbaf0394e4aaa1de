"""Validate: the template's own checks, in a fresh machine from the finished image (reference §9).

The machine writes to an overlay of its own: nothing of what a validation does is distributed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.builds.customizing import run_recorded
from vmwright.builds.hosting import machine_for
from vmwright.builds.records import RunSubState
from vmwright.builds.stage import Stage
from vmwright.errors import MachineError, StepError

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from vmwright.builds.build import Build
    from vmwright.builds.layers import Layers
    from vmwright.customizers.kinds import ReadyStep
    from vmwright.errors import BuildError
    from vmwright.sources.base_disk import BaseDisk

ROLE = "-validate"


async def validate(
    build: Build, base: BaseDisk, layers: Layers, steps: tuple[ReadyStep, ...], cleanup: AsyncExitStack
) -> BuildError | None:
    """Run the validations on the top layer, a throw-away; return what failed where that stops nothing.

    :param base: what the image is: how its guest boots and is provisioned.
    :raises StepError: a validation failed, and continueDistributeOnFailure is not set.
    :raises MachineError: likewise, where the image does not boot.
    """
    build.records.set(run_sub_state=RunSubState.VALIDATING)
    machine = await machine_for(build, base, role=ROLE)
    cleanup.push_async_callback(machine.destroy)
    try:
        stage = Stage(machine, await machine.start(layers.top), layers)
        for ready in steps:
            await run_recorded(build, stage, ready)
    except (StepError, MachineError) as error:
        wanted = build.template.validate
        if wanted is None or not wanted.continue_distribute_on_failure:
            raise
        build.events.warn(f"The image is distributed although it is not valid: {error.message}")
        return error
    finally:
        await machine.destroy()
    return None
