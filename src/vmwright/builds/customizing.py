"""Customize: a step of a template, which ends in a committed layer (reference §8)."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING

from vmwright.builds import sharing
from vmwright.builds.deprovisioning import read_script, write_script
from vmwright.builds.messages import step_failed
from vmwright.customizers.customizer import StepResult
from vmwright.customizers.kinds import ReadyStep, run_step
from vmwright.errors import BuildError, MachineError
from vmwright.events import Outcome, StepEnded, StepStarted
from vmwright.machines.machine import MachineKind
from vmwright.runs.states import RunSubState
from vmwright.template.model import Shell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmwright.builds.build import Build
    from vmwright.builds.stage import Stage
    from vmwright.builds.workshop import Workshop
    from vmwright.errors import StepError

RESTART_SECONDS = 20 * 60.0
# How often a machine may be killed under one step before that counts as the host's failure.
MOST_LOSSES = 3

# How a script ends that its own reboot stops: its connection is lost, or systemd signals it (128 + 15, 9).
STOPPED_BY_RESTART = frozenset({None, 143, 137})

# What programs say that find neither a kernel nor a disk of their own.
NEEDS_A_VM = ("grub-probe: error", "modprobe: ", "Operation not permitted", "mknod: ", "mount: ")


async def customize(build: Build, workshop: Workshop, ready: ReadyStep) -> None:
    """Run one step, unless its layer is there already, and commit the layer after it.

    Where a program of this host was killed under it, the step is run again on the layer before it.

    :raises StepError: it failed.
    """
    if workshop.layers.step >= ready.number:
        return
    build.records.set(run_sub_state=RunSubState.CUSTOMIZING)

    async def run() -> None:
        before = workshop.machine.received_bytes()
        result = await run_recorded(build, workshop, ready)
        build.records.step_ran(ready.number, result.exit_code)
        fetched = before is None or workshop.machine.received_bytes() != before
        await workshop.commit(ready.number, network_used=fetched and isinstance(ready.step, Shell))
        await sharing.share_logs(build)

    await unless_lost(build, workshop, run)


async def open_workshop(build: Build, workshop: Workshop) -> None:
    """Start the build's machine, on the newest layer of its disk."""

    async def nothing_more() -> None:
        pass

    await unless_lost(build, workshop, nothing_more)


async def unless_lost(build: Build, stage: Stage, work: Callable[[], Awaitable[None]]) -> None:
    """Do some work in a machine of the build; where that is lost, start another one and do it again."""
    for losses in itertools.count(1):
        try:
            await stage.open()
            await work()
        except (BuildError, OSError):
            lost = await stage.lost()
            if lost is None:
                raise
            if losses > MOST_LOSSES:
                raise lost from None
            build.events.warn(f"{lost.message}\nThe step is run again, on the disk as it was before it.")
            await stage.close()
        else:
            return


async def run_recorded(build: Build, stage: Stage, ready: ReadyStep) -> StepResult:
    """Run one step, said and recorded: all but its success, which is the caller's to record.

    :raises StepError: it failed; with its number, name, exit code and last lines.
    """
    total = build.request.step_count
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
        if outcome is not Outcome.SUCCEEDED:
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
    return result


async def _run(build: Build, stage: Stage, ready: ReadyStep, *, total: int) -> StepResult:
    """Run one step, and wait for the restart that it may have asked for."""
    try:
        result = await run_step(ready, stage.guest, build.events)
        restarted = await stage.settle(timeout=RESTART_SECONDS)
    except MachineError as error:
        raise step_failed(ready.step, ready.number, total, error.message, hint=error.hint) from error
    if not restarted:
        return result
    build.events.note(f"The guest restarted after step {ready.number}")
    if stage.deprovisioning is not None and await read_script(stage.guest) is None:
        # A restart empties /tmp; what a customizer had put there for the end is put back.
        await write_script(stage.guest, stage.deprovisioning)
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
