"""Customize: the steps of a template in their order, each ending in a committed layer (reference §8)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from vmwright.builds.generalize import read_script, write_script
from vmwright.builds.messages import step_failed
from vmwright.builds.records import RunSubState
from vmwright.customizers.customizer import StepResult
from vmwright.customizers.kinds import ReadyStep, run_step
from vmwright.errors import MachineError
from vmwright.events import Outcome, StepEnded, StepStarted
from vmwright.machines.machine import MachineKind

if TYPE_CHECKING:
    from vmwright.builds.build import Build
    from vmwright.builds.stage import Stage
    from vmwright.errors import StepError

RESTART_SECONDS = 20 * 60.0

# How a script ends that its own reboot stops: its connection is lost, or systemd signals it (128 + 15, 9).
STOPPED_BY_RESTART = frozenset({None, 143, 137})

# What programs say that find neither a kernel nor a disk of their own.
NEEDS_A_VM = ("grub-probe: error", "modprobe: ", "Operation not permitted", "mknod: ", "mount: ")


async def customize(build: Build, stage: Stage, steps: tuple[ReadyStep, ...]) -> None:
    """Run the steps in order; the first failure stops the build."""
    build.records.set(run_sub_state=RunSubState.CUSTOMIZING)
    for ready in steps:
        await run_recorded(build, stage, ready)
        await stage.layers.commit(stage.machine)


async def run_recorded(build: Build, stage: Stage, ready: ReadyStep) -> None:
    """Run one step, said and recorded.

    :raises StepError: it failed; with its number, name, exit code and last lines.
    """
    total = build.step_count
    number, name, kind = ready.number, ready.step.name, ready.step.kind
    build.records.step_started(number, name=name, kind=kind)
    build.events.say(StepStarted(number=number, total=total, name=name, kind=kind))
    begun, outcome = time.monotonic(), Outcome.FAILED
    result = StepResult(exit_code=None)
    try:
        result = await _run(build, stage, ready, total=total)
        outcome = Outcome.SUCCEEDED if result.succeeded else Outcome.FAILED
    except asyncio.CancelledError:
        outcome = Outcome.CANCELED
        raise
    finally:
        build.records.step_ended(number, outcome, result.exit_code)
        build.events.say(
            StepEnded(
                number=number,
                name=name,
                kind=kind,
                outcome=outcome,
                seconds=time.monotonic() - begun,
                exit_code=result.exit_code,
            )
        )
    if not result.succeeded:
        raise _failure(ready, total, result, stage.machine.kind)


async def _run(build: Build, stage: Stage, ready: ReadyStep, *, total: int) -> StepResult:
    """Run one step, and wait for the restart that it may have asked for."""
    deprovisioning = await read_script(stage.guest)
    try:
        result = await run_step(ready, stage.guest, build.events)
        restarted = await stage.machine.settle(timeout=RESTART_SECONDS)
    except MachineError as error:
        raise step_failed(ready.step, ready.number, total, error.message, hint=error.hint) from error
    if not restarted:
        return result
    build.events.note(f"The guest restarted after step {ready.number}")
    if deprovisioning is not None and await read_script(stage.guest) is None:
        # A restart empties /tmp; what a customizer had put there for the end is put back.
        await write_script(stage.guest, build.folder, deprovisioning)
    stopped = result.exit_code in STOPPED_BY_RESTART
    return StepResult(0, last_lines=result.last_lines) if stopped else result


def _failure(ready: ReadyStep, total: int, result: StepResult, machine: MachineKind) -> StepError:
    """Return the error that names the step, its exit code and its last lines, in Packer's words."""
    if result.exit_code is None:
        reason = (
            "Remote command exited without exit status or exit signal: the connection to the guest was lost"
        )
    else:
        allowed = list(result.valid)
        reason = (
            f"Script exited with non-zero exit status: {result.exit_code}. Allowed exit codes are: {allowed}"
        )
    lines = "".join(f"\n    {line}" for line in result.last_lines)
    hint = _hint(result) if machine is MachineKind.CONTAINER else None
    return step_failed(ready.step, ready.number, total, f"{reason}{lines}", hint=hint)


def _hint(result: StepResult) -> str | None:
    if any(word in line for line in result.last_lines for word in NEEDS_A_VM):
        return "a container has no kernel, devices or boot loader of its own: `--machine vm` has"
    return None
