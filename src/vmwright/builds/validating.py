"""Validate: the template's own checks, in a fresh machine from the finished image (reference §9).

The machine writes to an overlay of its own: nothing of what a validation does is distributed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.builds.customizing import run_recorded, unless_lost
from vmwright.builds.hosting import machine_for
from vmwright.builds.stage import Stage
from vmwright.errors import BuildError, MachineError, MachineLostError, StepError
from vmwright.events import Outcome
from vmwright.runs.states import RunSubState

if TYPE_CHECKING:
    from vmwright.builds.build import Build
    from vmwright.builds.layers import Layers
    from vmwright.customizers.kinds import ReadyStep
    from vmwright.sources.base_disk import BaseDisk

ROLE = "-validate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the validations say of an image: ``message`` tells why it is not valid, "" that it is."""

    message: str = ""
    target: str | None = None
    hint: str | None = None

    @property
    def error(self) -> BuildError | None:
        """The error of a build whose image is not valid."""
        return StepError(self.message, target=self.target, hint=self.hint) if self.message else None


class Trial(Stage):
    """The machine that the validations run in, on an overlay of its own."""

    def __init__(self, build: Build, base: BaseDisk, layers: Layers) -> None:
        super().__init__()
        self._build = build
        self._base = base
        self._layers = layers

    async def open(self) -> None:
        """Start the machine on a new overlay."""
        disk = await self._layers.begin()
        await self._boot(await machine_for(self._build, self._base, role=ROLE), disk)

    async def close(self) -> None:
        """Remove the machine with its overlay."""
        await super().close()
        await self._layers.drop_top()


async def validate(build: Build, base: BaseDisk, layers: Layers, steps: tuple[ReadyStep, ...]) -> Verdict:
    """Run the validations on a throw-away overlay; return what failed where that stops nothing.

    :param base: what the image is: how its guest boots and is provisioned.
    :raises StepError: a validation failed, and continueDistributeOnFailure is not set.
    :raises MachineError: likewise, where the image does not boot.
    """
    build.records.set(run_sub_state=RunSubState.VALIDATING)
    trial = Trial(build, base, layers)

    async def run() -> None:
        for ready in steps:
            result = await run_recorded(build, trial, ready)
            build.records.step_ended(ready.number, Outcome.SUCCEEDED, result.exit_code)

    try:
        await unless_lost(build, trial, run)
    except MachineLostError:
        raise  # says nothing of the image
    except (StepError, MachineError) as error:
        wanted = build.template.validate
        if wanted is None or not wanted.continue_distribute_on_failure:
            raise
        build.events.warn(f"The image is distributed although it is not valid: {error.message}")
        return Verdict(message=build.events.redact(error.message), target=error.target, hint=error.hint)
    finally:
        await trial.close()
    return Verdict()
