"""Machines that are lost, a program of this host killed under them: the work is done again, a few times."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.building import run_build
from tests.component.builds.conftest import SCRIPT, Bench, shell
from tests.scripted import Recorder, ScriptedMachine, ScriptedTransport
from vmwright.builds import deprovisioning
from vmwright.builds.customizing import MOST_LOSSES
from vmwright.errors import MachineError, MachineLostError, StepError
from vmwright.events import Level, Notice, Outcome, StepStarted
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.transport import Ended
from vmwright.state.tables import ResourceRow, StepRow
from vmwright.template.model import Validate

KILLED = MachineLostError("The machine was lost: qemu was killed by signal 9")
MINE = b"#!/bin/sh\necho mine\n"


class Kills:
    """Kills the machine under scripts, as many times as given; then they end well."""

    def __init__(self, machine: ScriptedMachine, times: int) -> None:
        self.left = times
        self._machine = machine

    def __call__(self, _: ScriptedTransport) -> Ended:
        self._machine.loss = KILLED if self.left > 0 else None
        self.left -= 1
        return Ended(None if self._machine.loss else 0)


def warnings(recorder: Recorder) -> list[str]:
    return [event.message for event in recorder.of(Notice) if event.level is Level.WARNING]


async def test_a_step_is_run_again_on_the_layer_before_it(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    kill = Kills(machine, 1)

    def second(transport: ScriptedTransport) -> Ended:
        if len(recorder.of(StepStarted)) == 1:
            transport.files[deprovisioning.SCRIPT] = MINE
            return Ended(0)
        assert transport.files[deprovisioning.SCRIPT] == MINE
        transport.files[deprovisioning.SCRIPT] = b"of a step that never came to its end"
        ended = kill(transport)
        if ended.exit_code == 0:
            transport.files[deprovisioning.SCRIPT] = MINE
        return ended

    machine.transport.answers[SCRIPT] = second
    result = await bench.build(shell(1), shell(2))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert machine.told == [
        *("start 000.qcow2", "checkpoint 001.qcow2", "destroy"),
        *("start 001.qcow2", "checkpoint 002.qcow2", "power off", "destroy"),
    ]
    assert [event.number for event in recorder.of(StepStarted)] == [1, 2, 2]
    assert [(row.number, row.state) for row in bench.rows(StepRow)] == [(1, "Succeeded"), (2, "Succeeded")]
    assert [KILLED.message in warning for warning in warnings(recorder)] == [True]
    assert bench.nothing_is_left()


async def test_a_machine_that_is_lost_again_and_again_ends_the_build(
    bench: Bench, machine: ScriptedMachine
) -> None:
    machine.transport.answers[SCRIPT] = Kills(machine, 100)
    result = await bench.build(shell(1))
    assert result.error is KILLED
    assert machine.told.count("start 000.qcow2") == machine.told.count("destroy") == MOST_LOSSES + 1
    assert bench.only_layers_are_left()


async def test_a_machine_may_be_lost_while_it_starts(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = machine.start

    async def start(disk: Path) -> LinuxGuest:
        guest = await begin(disk)
        if machine.told.count("start 000.qcow2") == 1:
            machine.loss = KILLED
            raise MachineError("no answer")
        machine.loss = None
        return guest

    monkeypatch.setattr(machine, "start", start)
    result = await bench.build(shell(1))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)


@pytest.mark.parametrize("lost", ["deprovisioning", "power off"])
async def test_a_machine_may_be_lost_while_it_is_generalized(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    kill = Kills(machine, 1)
    power_off = machine.power_off

    async def killed_off() -> None:
        await power_off()
        if kill(machine.transport).exit_code is None:
            raise MachineError("it did not answer")

    if lost == "power off":
        monkeypatch.setattr(machine, "power_off", killed_off)
    else:
        machine.transport.answers[f"\n{deprovisioning.SCRIPT} <"] = kill
    result = await bench.build(shell(1))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert machine.told.count("start 001.qcow2") == 1
    assert bench.nothing_is_left()


async def test_a_step_that_fails_in_a_living_machine_is_not_run_again(
    bench: Bench, machine: ScriptedMachine
) -> None:
    machine.transport.answers[SCRIPT] = lambda _: Ended(None)
    result = await bench.build(shell(1))
    assert isinstance(result.error, StepError)
    assert machine.told == ["start 000.qcow2", "destroy"]


@pytest.mark.parametrize("losses", [1, MOST_LOSSES + 1])
async def test_a_machine_that_is_lost_while_it_validates_says_nothing_of_the_image(
    bench: Bench, machine: ScriptedMachine, losses: int
) -> None:
    machine.transport.answers[SCRIPT] = Kills(machine, losses)
    check = dataclasses.replace(shell(1), path="properties.validate.inVMValidations[0]")
    validate = Validate(in_vm_validations=(check,), continue_distribute_on_failure=True)
    request = bench.request()
    request = dataclasses.replace(request, template=dataclasses.replace(request.template, validate=validate))
    result = await run_build(request, settings=bench.settings, database=bench.database, events=bench.events)
    assert result.error is (KILLED if losses > MOST_LOSSES else None)
    assert bool(list(bench.out.iterdir())) == (losses <= MOST_LOSSES)
    assert machine.told.count("start 001.qcow2") == min(losses, MOST_LOSSES) + 1
    assert not bench.rows(ResourceRow)
