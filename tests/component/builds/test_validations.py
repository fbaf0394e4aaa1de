"""Validations: in a machine of their own from the finished image, before it is distributed (reference §9)."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.building import run_build
from tests.component.builds.conftest import SCRIPT, shell, template
from tests.scripted import Recorder, ScriptedMachine, place
from vmwright.builds.build import BuildResult
from vmwright.errors import MachineError, StepError
from vmwright.events import Events, Outcome, Phase, PhaseStarted, StepStarted
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.transport import Ended
from vmwright.runs.listing import find_run
from vmwright.runs.request import BuildRequest
from vmwright.runs.states import RunState
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.tables import LayerRow, ResourceRow
from vmwright.template.model import Shell, Validate

CHECK = Shell(
    name="check", path="properties.validate.inVMValidations[0]", inline=("test -e /etc/os-release",)
)

Run = Callable[[Validate], Awaitable[BuildResult]]


@pytest.fixture
def run(
    settings: Settings, database: Database, events: Events, tmp_path: Path, machine: ScriptedMachine
) -> Run:
    async def build(validate: Validate) -> BuildResult:
        wanted = dataclasses.replace(template(shell(1)), validate=validate)
        request = BuildRequest(template=wanted, name="test", out=tmp_path / "out")
        return await run_build(request, settings=settings, database=database, events=events)

    return build


def second_fails(machine: ScriptedMachine) -> None:
    codes = iter([0, 1])
    machine.transport.answers[SCRIPT] = lambda _: Ended(next(codes))


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "out").glob("*"))


async def test_a_valid_image_is_distributed_without_what_the_validation_wrote(
    run: Run, machine: ScriptedMachine, recorder: Recorder, tmp_path: Path, database: Database
) -> None:
    result = await run(Validate(in_vm_validations=(CHECK,)))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert [event.phase for event in recorder.of(PhaseStarted)] == list(Phase)
    assert [(step.number, step.total, step.name) for step in recorder.of(StepStarted)] == [
        (1, 2, "step1"),
        (2, 2, "check"),
    ]
    assert machine.told == [
        *("start 000.qcow2", "checkpoint 001.qcow2", "power off", "destroy"),
        *("made-validate", "start 002.qcow2", "destroy"),
    ]
    assert files(tmp_path) == ["SHA256SUMS", "out.vhd", "out.vhd.sums"]
    log = result.log.with_name("validation.log").read_text()
    assert "Step 2 of 2: check (Shell)" in log
    assert "check (Shell)" not in result.log.read_text()
    assert "Distributed out (VHD)" in result.log.read_text()
    with database.session() as session:
        assert not session.query(LayerRow).count()
        assert not session.query(ResourceRow).count()


async def test_an_image_that_is_not_valid_is_not_distributed(
    run: Run, machine: ScriptedMachine, tmp_path: Path, database: Database
) -> None:
    second_fails(machine)
    result = await run(Validate(in_vm_validations=(CHECK,)))
    assert isinstance(result.error, StepError)
    assert result.error.message.startswith("Step 2 of 2 'check' (Shell) failed")
    assert result.error.target == CHECK.path
    assert result.log.name == "validation.log"
    assert result.outcome is Outcome.FAILED
    assert files(tmp_path) == []
    assert find_run(database, result.id).run_state is RunState.FAILED


async def test_it_may_be_distributed_all_the_same_and_the_run_has_failed(
    run: Run, machine: ScriptedMachine, tmp_path: Path
) -> None:
    second_fails(machine)
    result = await run(Validate(in_vm_validations=(CHECK,), continue_distribute_on_failure=True))
    assert files(tmp_path) == ["SHA256SUMS", "out.vhd", "out.vhd.sums"]
    assert isinstance(result.error, StepError)
    assert result.outcome is Outcome.FAILED


async def test_an_image_that_does_not_boot_is_not_valid(
    run: Run, machine: ScriptedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = machine.start

    async def start(disk: Path) -> LinuxGuest:
        if place(disk) == 2:
            raise MachineError("no boot loader")
        return await begin(disk)

    monkeypatch.setattr(machine, "start", start)
    result = await run(Validate(in_vm_validations=(CHECK,)))
    assert isinstance(result.error, MachineError)
    assert files(tmp_path) == []


async def test_the_source_alone_may_be_validated(
    run: Run, machine: ScriptedMachine, recorder: Recorder, tmp_path: Path
) -> None:
    result = await run(Validate(in_vm_validations=(CHECK,), source_validation_only=True))
    assert (result.outcome, result.error, result.outputs) == (Outcome.SUCCEEDED, None, ())
    phases = [event.phase for event in recorder.of(PhaseStarted)]
    assert phases == [Phase.SOURCE, Phase.FETCH, Phase.VALIDATE, Phase.FINISH]
    assert machine.told == ["made-validate", "start 000.qcow2", "destroy"]
    assert [step.name for step in recorder.of(StepStarted)] == ["check"]
    assert files(tmp_path) == []
