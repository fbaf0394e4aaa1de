"""What comes before the first step goes on while the journal starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from tests.building import opened_attempt
from tests.component.builds.conftest import Bench, Cached, shell
from tests.scripted import Recorder, ScriptedMachine
from vmwright.builds.build import BuildResult
from vmwright.durable import Engine
from vmwright.errors import SourceError, VmwrightError
from vmwright.events import Events, Outcome, PhaseStarted
from vmwright.guests.linux import LinuxGuest
from vmwright.runs.submission import submit

Launch = Callable[[Engine], Awaitable[Engine]]


@pytest.fixture
def started(machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Tells that the machine has been started."""
    event, start = asyncio.Event(), machine.start

    async def told(disk: Path) -> LinuxGuest:
        event.set()
        return await start(disk)

    monkeypatch.setattr(machine, "start", told)
    return event


async def build(bench: Bench, launch: Launch) -> BuildResult:
    """Build with an engine that comes when ``launch`` says."""
    build_id = submit(bench.request(shell(1)), bench.database)
    events = Events(*bench.readers)
    opened = opened_attempt(build_id, settings=bench.settings, database=bench.database, events=events)
    async with asyncio.timeout(60), opened as (attempt, engine):
        return await attempt.run(partial(launch, engine))


async def test_the_machine_starts_before_the_journal_is_there(
    bench: Bench, started: asyncio.Event, recorder: Recorder
) -> None:
    async def launch(engine: Engine) -> Engine:
        await started.wait()
        return engine

    result = await build(bench, launch)
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    phases = [event.phase for event in recorder.of(PhaseStarted)]
    assert phases == ["source", "fetch", "machine", "customize", "generalize", "distribute", "finish"]
    assert bench.nothing_is_left()


async def test_what_has_begun_is_removed_where_there_is_no_journal(
    bench: Bench, started: asyncio.Event, machine: ScriptedMachine
) -> None:
    async def launch(_engine: Engine) -> Engine:
        await started.wait()
        raise VmwrightError("The journal of builds cannot be used")

    result = await build(bench, launch)
    assert result.error is not None
    assert result.error.message == "The journal of builds cannot be used"
    assert machine.told[-1] == "destroy"
    assert bench.only_layers_are_left()


async def test_a_machine_that_does_not_start_is_why_the_build_failed(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def start(_disk: Path) -> LinuxGuest:
        failed.set()
        raise SourceError("The disk does not boot")

    async def launch(engine: Engine) -> Engine:
        await failed.wait()
        return engine

    monkeypatch.setattr(machine, "start", start)
    result = await build(bench, launch)
    assert isinstance(result.error, SourceError)
    assert machine.told == ["destroy"]
    assert bench.only_layers_are_left()


async def test_no_machine_begins_where_the_cache_has_the_last_step(
    cached: Cached, started: asyncio.Event
) -> None:
    assert (await cached(shell(1))).error is None
    started.clear()
    assert (await cached(shell(1))).error is None
    assert not started.is_set()
