"""A build that is cancelled, out of time, handed over or lost, in each of its phases."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from functools import partial

import pytest

from tests.building import by, opened_attempt
from tests.component.builds.conftest import SCRIPT, Bench, shell
from tests.queueing import row_of, worker
from tests.scripted import Recorder, ScriptedMachine, ScriptedTransport
from vmwright.builds.attempt import Attempt
from vmwright.builds.build import BuildResult
from vmwright.durable import Engine
from vmwright.errors import BuildCanceledError, BuildTimeoutError, HandedOverError, LostBuildError
from vmwright.events import Distributed, Event, Events, Outcome, Phase, PhaseStarted, StepEnded
from vmwright.guests.transport import Ended
from vmwright.runs.layer_files import LayerFiles
from vmwright.runs.queue import ask_cancel, claim
from vmwright.runs.request import BuildRequest
from vmwright.runs.states import RunState, RunSubState
from vmwright.runs.submission import submit
from vmwright.state.engines import journal_url
from vmwright.state.tables import LayerRow, ResourceRow
from vmwright.template.model import Validate, Vhd

Moment = Callable[[Event], bool]
PHASES = [phase for phase in Phase if phase is not Phase.FINISH]
TWO = (Vhd(path="d[0]", run_output_name="first"), Vhd(path="d[1]", run_output_name="second"))


def begins(phase: Phase) -> Moment:
    return lambda event: isinstance(event, PhaseStarted) and event.phase is phase


def request(bench: Bench) -> BuildRequest:
    asked = bench.request(shell(1), shell(2), distribute=TWO)
    validate = Validate(in_vm_validations=(dataclasses.replace(shell(3), path="v[0]"),))
    return dataclasses.replace(asked, template=dataclasses.replace(asked.template, validate=validate))


async def ended_by(
    bench: Bench, build_id: str, end: Callable[[Attempt], None], moment: Moment
) -> BuildResult:
    """Run a build and end it at a moment, once."""
    events = Events(*bench.readers)
    opened = opened_attempt(build_id, settings=bench.settings, database=bench.database, events=events)
    async with opened as (attempt, engine):

        def reader(event: Event) -> None:
            if moment(event):
                end(attempt)

        events.subscribe(reader)
        return await attempt.run(partial(by, engine))


def queued(bench: Bench) -> str:
    return submit(request(bench), bench.database)


def steps_done(recorder: Recorder) -> list[int]:
    return [event.number for event in recorder.of(StepEnded) if event.outcome is Outcome.SUCCEEDED]


@pytest.mark.parametrize("phase", PHASES)
async def test_a_cancel_ends_the_build_and_leaves_only_layers(
    bench: Bench, machine: ScriptedMachine, phase: Phase
) -> None:
    result = await ended_by(bench, queued(bench), Attempt.cancel, begins(phase))
    assert isinstance(result.error, BuildCanceledError)
    row = row_of(bench.database, result.id)
    assert (row.run_state, row.run_sub_state) == (RunState.CANCELED, None)
    assert row.ended_at is not None
    assert phase in row.message
    assert machine.told[-1:] in ([], ["destroy"])
    assert list(bench.out.iterdir()) == []
    assert bench.only_layers_are_left()


@pytest.mark.parametrize("phase", PHASES)
async def test_a_time_out_takes_the_same_way(bench: Bench, machine: ScriptedMachine, phase: Phase) -> None:
    result = await ended_by(bench, queued(bench), Attempt.time_out, begins(phase))
    assert isinstance(result.error, BuildTimeoutError)
    assert result.error.message.endswith(f"was over during the phase '{phase}'")
    assert row_of(bench.database, result.id).run_state == RunState.FAILED
    assert machine.told[-1:] in ([], ["destroy"])
    assert bench.only_layers_are_left()


@pytest.mark.parametrize("phase", PHASES)
async def test_a_build_that_is_handed_over_waits_and_another_goes_on_with_it(
    bench: Bench, recorder: Recorder, phase: Phase
) -> None:
    result = await ended_by(bench, queued(bench), Attempt.hand_over, begins(phase))
    assert isinstance(result.error, HandedOverError)
    row = row_of(bench.database, result.id)
    assert (row.run_state, row.run_sub_state) == (RunState.RUNNING, RunSubState.QUEUED)
    assert (row.executor, row.ended_at, row.attempt) == (None, None, 1)
    assert bench.only_layers_are_left()
    gone_on = await bench.take_over(result.id)
    assert (gone_on.outcome, gone_on.error) == (Outcome.SUCCEEDED, None)
    assert steps_done(recorder) == [1, 2, 3]
    assert [output.name for output in bench.run(result.id).outputs] == ["first", "second"]
    assert bench.nothing_is_left()


@pytest.mark.parametrize("what", ["step", "distributor"])
async def test_what_fails_in_a_process_that_stood_still_is_left_to_another(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder, what: str
) -> None:
    if what == "step":
        machine.transport.answers[SCRIPT] = lambda _: Ended(-9)
    else:
        (bench.out / "second.vhd").mkdir()
    events = Events(*bench.readers)
    stopped = opened_attempt(
        queued(bench), settings=bench.settings, database=bench.database, events=events, was_stopped=True
    )
    async with stopped as (attempt, engine):
        result = await attempt.run(partial(by, engine))
    assert isinstance(result.error, HandedOverError)
    row = row_of(bench.database, result.id)
    assert (row.run_sub_state, row.executor, row.ended_at) == (RunSubState.QUEUED, None, None)
    machine.transport.answers[SCRIPT] = lambda _: Ended(0)
    if what == "distributor":
        (bench.out / "second.vhd").rmdir()
    gone_on = await bench.take_over(result.id)
    assert (gone_on.outcome, gone_on.error) == (Outcome.SUCCEEDED, None)
    assert steps_done(recorder) == [1, 2, 3]
    assert bench.nothing_is_left()


async def test_what_is_finished_stays_when_the_distribution_is_cancelled(bench: Bench) -> None:
    def first_is_made(event: Event) -> bool:
        return isinstance(event, Distributed)

    result = await ended_by(bench, queued(bench), Attempt.cancel, first_is_made)
    assert isinstance(result.error, BuildCanceledError)
    run = bench.run(result.id)
    assert (run.run_state, [output.name for output in run.outputs]) == (RunState.CANCELED, ["first"])
    assert sorted(path.name for path in bench.out.iterdir()) == ["SHA256SUMS", "first.vhd", "first.vhd.sums"]
    assert bench.only_layers_are_left()


async def test_a_cancel_that_others_ask_for_is_seen_by_the_runner(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(**_: object) -> bool:
        build_id = next(iter(bench.rows(ResourceRow))).build_id
        ask_cancel(bench.database, build_id)
        assert row_of(bench.database, build_id).run_state == RunState.CANCELING
        await asyncio.Event().wait()
        return False

    monkeypatch.setattr(machine, "settle", hangs)
    result = await bench.build(shell(1))
    assert isinstance(result.error, BuildCanceledError)
    assert bench.run(result.id).run_state is RunState.CANCELED
    assert machine.told[-1] == "destroy"


async def test_a_build_whose_cancel_nobody_saw_to_is_only_cleaned_up(
    bench: Bench, machine: ScriptedMachine
) -> None:
    handed = await ended_by(bench, queued(bench), Attempt.hand_over, begins(Phase.GENERALIZE))
    ask_cancel(bench.database, handed.id)
    machine.told.clear()
    result = await bench.take_over(handed.id)
    assert isinstance(result.error, BuildCanceledError)
    assert bench.run(handed.id).run_state is RunState.CANCELED
    assert machine.told == []


async def test_an_attempt_that_has_lost_its_build_writes_nothing_and_removes_its_own(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder
) -> None:
    build_id = queued(bench)
    theirs = LayerFiles(bench.settings.home, bench.database).new()

    def taken_by_another(_: ScriptedTransport) -> Ended:
        if len(bench.rows(LayerRow)) == 1:
            with bench.database.session() as session:
                session.merge(row_of(bench.database, build_id)).executor = None
            assert claim(bench.database, build_id, worker(bench.database)) is not None
            theirs.write_bytes(b"theirs")
        return Ended(0)

    machine.transport.answers[SCRIPT] = taken_by_another
    result = await ended_by(bench, build_id, Attempt.cancel, lambda _: False)
    assert isinstance(result.error, LostBuildError)
    row = row_of(bench.database, build_id)
    assert (row.run_state, row.attempt, row.ended_at) == (RunState.RUNNING, 2, None)
    assert row.executor is not None
    (layer,) = bench.rows(LayerRow)
    assert {str(path) for path in bench.files("layers/*/*")} == {str(theirs), layer.path}
    assert theirs.read_bytes() == b"theirs"
    assert machine.told[-1] == "destroy"
    assert not bench.rows(ResourceRow)


@pytest.mark.parametrize("phase", [Phase.GENERALIZE, Phase.VALIDATE, Phase.DISTRIBUTE])
async def test_what_is_done_is_not_done_again_where_the_journal_does_not_know_of_it(
    bench: Bench, machine: ScriptedMachine, recorder: Recorder, phase: Phase
) -> None:
    handed = await ended_by(bench, queued(bench), Attempt.hand_over, begins(phase))
    engine = await Engine.launch(journal_url(bench.settings), executor="one that forgets")
    await engine.forget([f"{handed.id}.1"])
    await engine.close()
    machine.told.clear()
    result = await bench.take_over(handed.id)
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert steps_done(recorder) == [1, 2, 3, *([3] if phase is Phase.DISTRIBUTE else [])]
    starts = [told for told in machine.told if told.startswith("start")]
    assert starts == (["start 002.qcow2"] if phase is Phase.GENERALIZE else []) + ["start 003.qcow2"]
    assert bench.nothing_is_left()
