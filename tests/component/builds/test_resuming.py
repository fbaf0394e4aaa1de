"""Going on with a build that has failed: from its newest layer, an earlier step, or its distribution."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sqlalchemy import delete

from tests.component.builds.conftest import SCRIPT, Bench, shell, template
from tests.scripted import Recorder, ScriptedMachine, ScriptedTransport
from vmwright.builds.workshop import Workshop
from vmwright.errors import BuildError, UnsupportedError, VmwrightError
from vmwright.events import Notice, Outcome, StepStarted
from vmwright.guests.transport import Ended
from vmwright.images import open_images
from vmwright.runs.records import BuildRecords
from vmwright.runs.states import RunState
from vmwright.state.tables import LayerRow, StepRow
from vmwright.template.model import SharedImage, Shell, Vhd

DEFINITION = "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.Compute/galleries/gal/images/web"


class Scripts:
    """What the guest was given to run; the runs that are named fail, counted from 1."""

    def __init__(self, machine: ScriptedMachine, *failing: int) -> None:
        self.run: list[str] = []
        self._failing = failing
        machine.transport.answers[SCRIPT] = self

    def __call__(self, transport: ScriptedTransport) -> Ended:
        (script,) = (data for path, data in transport.files.items() if path.startswith("/tmp/script_"))
        self.run.append(script.decode().splitlines()[-1])
        return Ended(1 if len(self.run) in self._failing else 0)


def numbers(recorder: Recorder) -> list[int]:
    return [event.number for event in recorder.of(StepStarted)]


def history(bench: Bench) -> list[tuple[int, int, str]]:
    return [(row.attempt, row.number, row.state) for row in bench.rows(StepRow)]


STEPS = (shell(1, "one"), shell(2, "two"), shell(3, "three"))


async def test_a_build_goes_on_behind_its_newest_layer(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine, 2)
    failed = await bench.build(*STEPS)
    assert failed.outcome is Outcome.FAILED
    assert bench.run(failed.id).run_state is RunState.FAILED
    recorder.seen.clear()
    machine.told.clear()
    result = await bench.resume(failed.id)
    assert (result.outcome, result.error, result.id) == (Outcome.SUCCEEDED, None, failed.id)
    assert scripts.run == ["one", "two", "two", "three"]
    assert numbers(recorder) == [2, 3]
    assert machine.told[0] == "start 001.qcow2"
    assert history(bench) == [
        (1, 1, "Succeeded"),
        (1, 2, "Failed"),
        (2, 2, "Succeeded"),
        (2, 3, "Succeeded"),
    ]
    run = bench.run(result.id)
    assert (run.run_state, run.attempt, run.message) == (RunState.SUCCEEDED, 2, "")
    log = result.log.read_text()
    assert log.index("Step 1 of 3") < log.index("Step 3 of 3")
    assert bench.nothing_is_left()


async def test_a_step_has_succeeded_once_its_layer_is_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_workshop: Workshop, _step: int, *, network_used: bool) -> None:
        raise BuildError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Workshop, "commit", fails)
        failed = await bench.build(*STEPS)
    assert failed.outcome is Outcome.FAILED
    assert history(bench) == [(1, 1, "Canceled")]
    result = await bench.resume(failed.id)
    assert result.outcome is Outcome.SUCCEEDED
    succeeded = [(2, number, "Succeeded") for number in (1, 2, 3)]
    assert sorted(history(bench)) == [(1, 1, "Canceled"), *succeeded]


async def test_a_build_goes_on_from_an_earlier_step(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine, 3)
    failed = await bench.build(*STEPS)
    older = [Path(row.path) for row in bench.rows(LayerRow)]
    result = await bench.resume(failed.id, from_step=2)
    assert result.outcome is Outcome.SUCCEEDED
    assert scripts.run == ["one", "two", "three", "two", "three"]
    assert not any(path.exists() for path in older)
    assert bench.nothing_is_left()


async def test_a_layer_is_of_no_use_without_those_below(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine, 3)
    failed = await bench.build(*STEPS)
    with bench.database.session() as session:
        row = session.scalars(delete(LayerRow).where(LayerRow.number == 0).returning(LayerRow)).one()
        Path(row.path).unlink()
    result = await bench.resume(failed.id)
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert scripts.run == ["one", "two", "three", "one", "two", "three"]
    (said,) = [event.message for event in recorder.of(Notice) if "is gone" in event.message]
    assert said.startswith("The disk after step 2")
    assert said.endswith("stands on a layer that is gone: the build goes on from step 1")
    assert bench.nothing_is_left()


async def test_a_build_that_has_succeeded_is_done_again_only_from_its_first_step(
    bench: Bench, machine: ScriptedMachine
) -> None:
    scripts = Scripts(machine)
    built = await bench.build(*STEPS[:1])
    with pytest.raises(VmwrightError, match="has succeeded"):
        await bench.resume(built.id)
    with pytest.raises(VmwrightError, match="The disk after step 1 is not there"):
        await bench.resume(built.id, from_step=2)
    assert (await bench.resume(built.id, from_step=1)).outcome is Outcome.SUCCEEDED
    assert scripts.run == ["one", "one"]


async def test_the_steps_to_come_are_those_of_a_changed_template(
    bench: Bench, machine: ScriptedMachine
) -> None:
    scripts = Scripts(machine, 2)
    failed = await bench.build(*STEPS)
    # in a deployment template now
    same = dataclasses.replace(STEPS[0], path="resources[0].properties.customize[0]")
    fixed = template(same, shell(2, "fixed"), shell(3, "three"), shell(4, "more"))
    result = await bench.resume(failed.id, template=fixed)
    assert result.outcome is Outcome.SUCCEEDED
    assert scripts.run == ["one", "two", "fixed", "three", "more"]


async def test_a_template_that_differs_in_what_is_done_is_refused_by_the_step(
    bench: Bench, machine: ScriptedMachine
) -> None:
    Scripts(machine, 3)
    failed = await bench.build(*STEPS)
    before = bench.run(failed.id)
    changed = template(STEPS[0], shell(2, "changed"), STEPS[2])
    with pytest.raises(VmwrightError, match="Step 2 differs") as refused:
        await bench.resume(failed.id, template=changed)
    assert refused.value.hint == "add --from 2 to run it again"
    assert bench.run(failed.id) == before
    assert (await bench.resume(failed.id, template=changed, from_step=2)).outcome is Outcome.SUCCEEDED


async def test_only_scripts_of_steps_to_come_are_fetched_again(
    bench: Bench, machine: ScriptedMachine, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.sh" for number in (1, 2)]
    for file in files:
        file.write_text(f"#!/bin/sh\n{file.stem}\n")
    scripts = Scripts(machine, 2)
    failed = await bench.build(*(Shell(name=file.stem, path="p", script_uri=file.as_uri()) for file in files))
    files[0].unlink()
    files[1].write_text("#!/bin/sh\nfixed\n")
    result = await bench.resume(failed.id)
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert scripts.run == ["1", "2", "fixed"]
    assert bench.nothing_is_left()


async def test_only_what_failed_is_distributed_again(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    (bench.out / "second.vhd").mkdir()
    both = (Vhd(path="d[0]", run_output_name="first"), Vhd(path="d[1]", run_output_name="second"))
    failed = await bench.build(shell(1), distribute=both)
    assert failed.outcome is Outcome.PARTIALLY_SUCCEEDED
    first = (bench.out / "first.vhd").stat()
    (bench.out / "second.vhd").rmdir()
    machine.told.clear()
    recorder.seen.clear()
    result = await bench.redistribute(failed.id)
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert [(output.name, output.error) for output in result.outputs] == [("first", ""), ("second", "")]
    assert bench.run(failed.id).run_state is RunState.SUCCEEDED
    assert [output.name for output in bench.run(failed.id).outputs] == ["first", "second"]
    after = (bench.out / "first.vhd").stat()
    assert (after.st_ino, after.st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert (machine.told, numbers(recorder)) == ([], [])
    assert bench.nothing_is_left()
    with pytest.raises(VmwrightError, match="nothing has failed"):
        await bench.redistribute(failed.id)


async def test_an_image_that_is_not_finished_is_not_distributed(
    bench: Bench, machine: ScriptedMachine
) -> None:
    Scripts(machine, 2)
    failed = await bench.build(*STEPS)
    with pytest.raises(UnsupportedError, match="not finished"):
        await bench.redistribute(failed.id)


async def test_a_version_that_was_made_but_not_recorded_is_not_made_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise BuildError("a crash")

    shared = SharedImage(path="d[0]", run_output_name="shared", gallery_image_id=DEFINITION)
    with monkeypatch.context() as crashing:
        crashing.setattr(BuildRecords, "distributed", crash)
        failed = await bench.build(distribute=(shared,))
    assert failed.outcome is Outcome.FAILED
    versions = open_images(bench.settings, bench.database).versions
    assert len(versions.list()) == 1
    result = await bench.redistribute(failed.id)
    assert result.outcome is Outcome.SUCCEEDED
    assert [str(one.id) for one in versions.list()] == [result.outputs[0].artifact_id]
