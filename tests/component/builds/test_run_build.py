from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.building import run_build
from tests.component.builds.conftest import SCRIPT, Bench, shell
from tests.journals import everything
from tests.scripted import Recorder, ScriptedMachine, ScriptedTransport, ended
from vmwright.builds import deprovisioning, leftovers
from vmwright.builds.build import BuildResult
from vmwright.disks.vhd import verify_fixed_vhd
from vmwright.errors import BuildCanceledError, BuildTimeoutError, DistributeError, MachineError, StepError
from vmwright.events import (
    Events,
    Level,
    Notice,
    Outcome,
    Output,
    Phase,
    PhaseStarted,
    StepEnded,
    StepStarted,
    as_json,
)
from vmwright.guests.transport import Ended
from vmwright.process import run as run_program
from vmwright.runs.listing import find_run
from vmwright.runs.states import RunState
from vmwright.state.engines import journal_url
from vmwright.state.tables import BuildRow, LayerRow, RunOutputRow, StepRow, TemplateRow
from vmwright.template.model import Shell, Template, Vhd

PHASES = [phase for phase in Phase if phase is not Phase.VALIDATE]


async def test_a_build_goes_through_its_phases_and_leaves_its_outputs(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    result = await bench.build(shell(1), shell(2), formats=("qcow2", "vhd"))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert [event.phase for event in recorder.of(PhaseStarted)] == PHASES
    assert machine.told == [
        *("start 000.qcow2", "checkpoint 001.qcow2", "checkpoint 002.qcow2", "power off", "destroy")
    ]
    assert sorted(path.name for path in bench.out.iterdir()) == [
        *("SHA256SUMS", "out.vhd", "out.vhd.sums", "test.qcow2")
    ]
    verify_fixed_vhd(bench.out / "out.vhd")
    run = find_run(bench.database, result.id)
    assert run.run_state is RunState.SUCCEEDED
    assert run.run_sub_state is None
    assert [output.artifact_uri for output in run.outputs] == [(bench.out / "out.vhd").as_uri()]
    assert bench.nothing_is_left()


async def test_whole_files_are_summed_where_that_is_wanted(bench: Bench) -> None:
    request = replace(bench.request(formats=("qcow2", "raw")), sums=True)
    await run_build(request, settings=bench.settings, database=bench.database, events=bench.events)
    sums = [line.split("  ") for line in (bench.out / "SHA256SUMS").read_text().splitlines()]
    assert sorted(name for _, name in sums) == [
        *("out.vhd", "out.vhd.sums", "test.qcow2", "test.raw", "test.raw.sums")
    ]
    for digest, name in sums:
        assert hashlib.sha256((bench.out / name).read_bytes()).hexdigest() == digest


async def test_a_qcow2_for_the_user_is_compressed_with_zstd(bench: Bench) -> None:
    await bench.build(formats=("qcow2",))
    said = await run_program(["qemu-img", "info", "--output=json", bench.out / "test.qcow2"], timeout=20)
    assert json.loads(said.stdout)["format-specific"]["data"]["compression-type"] == "zstd"


async def test_a_layer_is_recorded_before_the_next_step_runs(bench: Bench, machine: ScriptedMachine) -> None:
    seen: list[int] = []

    def look(_: ScriptedTransport) -> Ended:
        seen.append(len(bench.rows(LayerRow)))
        return Ended(0)

    machine.transport.answers[SCRIPT] = look
    await bench.build(shell(1), shell(2), shell(3))
    assert seen == [0, 1, 2]


async def test_the_first_failure_stops_the_build_and_is_named(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    codes = iter([0, 3])
    machine.transport.answers[SCRIPT] = lambda _: Ended(next(codes), b"installing\n", b"no such package\n")
    result = await bench.build(shell(1), shell(2), shell(3))
    assert isinstance(result.error, StepError)
    assert (result.outcome, result.error.exit_code) == (Outcome.FAILED, 1)
    assert result.error.target == "properties.customize[1]"
    message = result.error.message.splitlines()
    assert message[0] == (
        "Step 2 of 3 'step2' (Shell) failed: Script exited with non-zero exit status: 3. "
        "Allowed exit codes are: [0]"
    )
    assert [line.strip() for line in message[1:]] == ["installing", "no such package"]
    ends = [(event.number, event.outcome, event.exit_code) for event in recorder.of(StepEnded)]
    assert ends == [(1, Outcome.SUCCEEDED, 0), (2, Outcome.FAILED, 3)]
    assert [(row.number, row.state, row.exit_code) for row in bench.rows(StepRow)] == [
        (1, "Succeeded", 0),
        (2, "Failed", 3),
    ]
    assert machine.told[-1] == "destroy"
    assert list(bench.out.iterdir()) == []
    assert bench.only_layers_are_left()


async def test_the_records_message_begins_as_the_services(bench: Bench, machine: ScriptedMachine) -> None:
    machine.transport.answers[SCRIPT] = ended(1)
    result = await bench.build(shell(1))
    message = find_run(bench.database, result.id).message
    assert message.startswith(
        "During the image build a failure has occurred. Please review the build log to identify which "
        "build/customization step failed. Step 1 of 1 'step1' (Shell) failed"
    )
    assert message.endswith(f"Image build log location: {result.log}. OperationId: {result.id}.")


async def test_the_log_has_the_services_lines(bench: Bench, machine: ScriptedMachine) -> None:
    machine.transport.answers[SCRIPT] = ended(2, b"to stdout\n", b"to stderr\n")
    result = await bench.build(shell(1))
    prefix = f"[{result.id}] PACKER "
    lines = [line.removeprefix(prefix) for line in result.log.read_text().splitlines()]
    assert all(line.startswith(("OUT", "ERR 2")) for line in lines)
    assert "OUT     azure-arm: to stdout" in lines
    assert "OUT ==> azure-arm: to stderr" in lines
    assert "OUT ==> azure-arm: Step 1 of 1: step1 (Shell)" in lines
    telemetry = [line.partition("(telemetry) ")[2] for line in lines if "(telemetry)" in line]
    assert telemetry == ["Starting provisioner shell", "ending shell", "Finalizing."]
    assert lines[-1] == "OUT ==> Builds finished but no artifacts were created."
    assert any(line.startswith("OUT Build 'azure-arm' errored after") for line in lines)


async def test_a_step_may_restart_the_guest(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    machine.transport.answers[SCRIPT] = ended(None)
    machine.restarts = [True, True]
    result = await bench.build(shell(1), shell(2))
    assert result.outcome is Outcome.SUCCEEDED
    assert [event.outcome for event in recorder.of(StepEnded)] == [Outcome.SUCCEEDED] * 2
    assert not [event for event in recorder.of(Notice) if event.level is Level.WARNING]


async def test_a_restart_keeps_the_deprovisioning_script_of_a_customizer(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    def override(transport: ScriptedTransport) -> Ended:
        if deprovisioning.SCRIPT in transport.files and len(recorder.of(StepStarted)) == 1:
            transport.files[deprovisioning.SCRIPT] = b"#!/bin/sh\necho mine\n"
        return Ended(0)

    machine.transport.answers[SCRIPT] = override
    machine.restarts = [False, True]
    assert (await bench.build(shell(1), shell(2))).outcome is Outcome.SUCCEEDED
    assert "echo mine" in [event.line for event in recorder.of(Output)]


async def test_what_a_step_leaves_is_copied_after_its_restart(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = 0

    def copy(_transport: ScriptedTransport) -> Ended:
        nonlocal copies
        copies += 1
        if copies == 1:
            raise MachineError("The connection to the guest was lost")
        return Ended(0, b"whole\n")

    async def settle(*, timeout: float) -> bool:
        while not copies:
            await asyncio.sleep(0)
        return True

    machine.transport.answers[f"echo {leftovers.WHOLE}"] = copy
    monkeypatch.setattr(machine, "settle", settle)
    assert (await bench.build(shell(1))).outcome is Outcome.SUCCEEDED
    assert copies == 2
    assert not [event for event in recorder.of(Notice) if "could not be copied" in event.message]


async def test_a_lost_connection_without_a_restart_fails(bench: Bench, machine: ScriptedMachine) -> None:
    machine.transport.answers[SCRIPT] = ended(None)
    result = await bench.build(shell(1))
    assert result.error is not None
    assert "the connection to the guest was lost" in result.error.message


async def test_a_failing_script_that_restarts_still_fails(bench: Bench, machine: ScriptedMachine) -> None:
    machine.transport.answers[SCRIPT] = ended(5)
    machine.restarts = [True]
    assert (await bench.build(shell(1))).outcome is Outcome.FAILED


async def forever(*_: object, **__: object) -> bool:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_time_out_ends_the_build(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Template, "timeout_seconds", 0.5)
    monkeypatch.setattr(machine, "settle", forever)
    result = await bench.build(shell(1))
    assert isinstance(result.error, BuildTimeoutError)
    assert result.outcome is Outcome.FAILED
    assert bench.only_layers_are_left()


@pytest.mark.parametrize("phase", PHASES[:-1])
async def test_a_cancel_in_any_phase_leaves_nothing_but_layers(
    bench: Bench, events: Events, phase: Phase
) -> None:
    task: asyncio.Task[BuildResult]

    def cancel(event: object) -> None:
        if isinstance(event, PhaseStarted) and event.phase is phase:
            task.cancel()

    events.subscribe(cancel)
    task = asyncio.ensure_future(bench.build(shell(1)))
    result = await task
    assert isinstance(result.error, BuildCanceledError)
    assert (result.outcome, result.error.exit_code) == (Outcome.CANCELED, 130)
    assert "'finish'" not in result.error.message
    assert find_run(bench.database, result.id).run_state is RunState.CANCELED
    assert list(bench.out.iterdir()) == []
    assert bench.only_layers_are_left()


async def test_a_cancel_of_the_clean_up_changes_nothing(
    bench: Bench, events: Events, machine: ScriptedMachine
) -> None:
    task: asyncio.Task[BuildResult]

    def cancel(event: object) -> None:
        if isinstance(event, PhaseStarted) and event.phase is Phase.FINISH:
            task.cancel()

    machine.transport.answers[SCRIPT] = ended(1)
    events.subscribe(cancel)
    task = asyncio.ensure_future(bench.build(shell(1)))
    result = await task
    assert isinstance(result.error, StepError)
    assert machine.told[-1] == "destroy"
    assert bench.only_layers_are_left()


async def test_a_step_that_is_cancelled_is_no_failure(
    bench: Bench,
    events: Events,
    recorder: Recorder,
    machine: ScriptedMachine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task: asyncio.Task[BuildResult]

    def cancel(event: object) -> None:
        if isinstance(event, StepStarted):
            task.cancel()

    monkeypatch.setattr(machine, "settle", forever)
    events.subscribe(cancel)
    task = asyncio.ensure_future(bench.build(shell(1)))
    await task
    assert [event.outcome for event in recorder.of(StepEnded)] == [Outcome.CANCELED]
    assert [row.state for row in bench.rows(StepRow)] == ["Canceled"]


async def test_one_distributor_that_fails_does_not_undo_the_other(bench: Bench) -> None:
    (bench.out / "second.vhd").mkdir()
    bench.events.keep_secret("second.vhd")
    both = (Vhd(path="d[0]", run_output_name="first"), Vhd(path="d[1]", run_output_name="second"))
    result = await bench.build(distribute=both)
    assert isinstance(result.error, DistributeError)
    assert (result.outcome, result.error.exit_code) == (Outcome.PARTIALLY_SUCCEEDED, 1)
    assert result.error.message.startswith("Failed in distributing 1 images out of total 2: second (VHD)")
    states = {row.name: row.provisioning_state for row in bench.rows(RunOutputRow)}
    assert states == {"first": "Succeeded", "second": "Failed"}
    assert not any("second.vhd" in row.error for row in bench.rows(RunOutputRow))
    verify_fixed_vhd(bench.out / "first.vhd")
    assert sorted(path.name for path in bench.out.iterdir()) == [
        *("SHA256SUMS", "first.vhd", "first.vhd.sums", "second.vhd")
    ]
    assert bench.only_layers_are_left()


async def test_a_deprovisioning_script_that_fails_fails_the_build(
    bench: Bench, machine: ScriptedMachine
) -> None:
    machine.transport.answers[f"\n{deprovisioning.SCRIPT} <"] = ended(4, b"", b"waagent: broken\n")
    result = await bench.build()
    assert result.error is not None
    assert "The deprovisioning script failed with exit code 4:\nwaagent: broken" in result.error.message


async def test_the_default_deprovisioning_commands_are_run_as_root_and_stand_in_the_log(
    bench: Bench, machine: ScriptedMachine
) -> None:
    result = await bench.build(shell(1))
    log = result.log.read_text()
    assert "    azure-arm: WAAGENT=/usr/sbin/waagent\n" in log
    assert "    azure-arm: $WAAGENT -force -deprovision+user && export HISTSIZE=0 && sync\n" in log
    run_at_the_end = [
        said
        for said in machine.transport.said
        if said.startswith("# cd /\n") and f"\n{deprovisioning.SCRIPT} <" in said
    ]
    assert len(run_at_the_end) == 1
    assert machine.transport.files[deprovisioning.SCRIPT] == deprovisioning.DEFAULT


@pytest.mark.parametrize("is_known", [True, False])
async def test_cloud_init_is_cleaned_beside_a_known_script_and_behind_another(
    bench: Bench, machine: ScriptedMachine, *, is_known: bool
) -> None:
    def override(transport: ScriptedTransport) -> Ended:
        if not is_known:
            transport.files[deprovisioning.SCRIPT] = b"#!/bin/sh\ncloud-init query instance_id\n"
        return Ended(0)

    machine.transport.answers[SCRIPT] = override
    assert (await bench.build(shell(1))).outcome is Outcome.SUCCEEDED
    end = next(said for said in machine.transport.said if "cloud-init clean" in said)
    assert (end.index("cloud-init clean") < end.index(f"\n{deprovisioning.SCRIPT} <")) == is_known


async def test_an_image_without_an_agent_gets_the_equivalent_and_a_warning(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    machine.transport.answers["agents:"] = ended(0, b"agents:\n\n")
    assert (await bench.build()).outcome is Outcome.SUCCEEDED
    warnings = [event.message for event in recorder.of(Notice) if event.level is Level.WARNING]
    assert ["no waagent" in warning for warning in warnings] == [True]
    assert any("ssh_host" in event.line for event in recorder.of(Output))


async def test_a_deleted_deprovisioning_script_is_warned_of_in_the_services_words(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    def delete(transport: ScriptedTransport) -> Ended:
        transport.files.pop(deprovisioning.SCRIPT)
        return Ended(0)

    machine.transport.answers[SCRIPT] = delete
    assert (await bench.build(shell(1))).outcome is Outcome.SUCCEEDED
    warnings = [event.message for event in recorder.of(Notice) if event.level is Level.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("Deprovisioning script [/tmp/DeprovisioningScript.sh] could not be found.")


async def test_a_defect_is_recorded_and_not_hidden(bench: Bench, machine: ScriptedMachine) -> None:
    def defect(_: ScriptedTransport) -> Ended:
        raise ZeroDivisionError

    machine.transport.answers[SCRIPT] = defect
    with pytest.raises(ZeroDivisionError):
        await bench.build(shell(1))
    run = find_run(bench.database, "test")
    assert (run.run_state, run.message.splitlines()[0]) == (RunState.FAILED, "Internal error occurred.")
    assert bench.only_layers_are_left()


async def test_a_script_that_bash_cannot_parse_is_warned_of_before_the_machine_starts(
    bench: Bench, recorder: Recorder
) -> None:
    await bench.build(shell(1, "echo fine"), shell(2, "echo 'no end", "true"))
    warnings = [event for event in recorder.of(Notice) if event.level is Level.WARNING]
    assert len(warnings) == 1
    assert "step 2 'step2' has a syntax error: line 2: unexpected EOF" in warnings[0].message
    begun = next(event for event in recorder.of(PhaseStarted) if event.phase is Phase.MACHINE)
    assert recorder.seen.index(warnings[0]) < recorder.seen.index(begun)


async def test_a_signature_in_an_address_reaches_no_log_and_no_error(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder, tmp_path: Path
) -> None:
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\n")
    address = f"{script.as_uri()}?sig=s3cr3t"
    signed = Shell(name="signed", path="", script_uri=address)
    machine.transport.answers[SCRIPT] = ended(1, b"fetched with s3cr3t\n")
    request = bench.request(signed)
    document = {"properties": {"customize": [{"type": "Shell", "scriptUri": address}]}}
    wanted = replace(request, template=replace(request.template, document=document))
    result = await run_build(wanted, settings=bench.settings, database=bench.database, events=bench.events)
    assert result.error is not None
    shown = [*map(as_json, recorder.seen), result.error.message, result.log.read_text()]
    assert "s3cr3t" not in "".join(shown)
    (row,) = bench.rows(BuildRow)
    assert "s3cr3t" in str(row.request)
    assert "s3cr3t" not in f"{row.message} {row.template} {bench.rows(TemplateRow)[0].document}"
    assert "s3cr3t" not in everything(journal_url(bench.settings))


async def test_a_template_of_the_service_reads_no_file_of_this_host(
    bench: Bench, machine: ScriptedMachine, tmp_path: Path
) -> None:
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\n")
    request = bench.request(Shell(name="one", path="", script_uri=script.as_uri()))
    wanted = replace(request, template_id="/subscriptions/s/resourceGroups/g/providers/p/imageTemplates/web")
    result = await run_build(wanted, settings=bench.settings, database=bench.database, events=bench.events)
    assert isinstance(result.error, StepError)
    assert "is a file of this host, which a service does not read for its clients" in result.error.message
