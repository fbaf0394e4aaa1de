"""The work behind operations: it outlives requests, restarts and errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from tests.component.arm.asking import SUBSCRIPTION
from tests.scripted import Recorder
from vmwright.arm.background import Background
from vmwright.arm.http.errors import ArmError
from vmwright.arm.ids import ResourceId
from vmwright.arm.operations import Operation, Operations, Status
from vmwright.errors import UnsupportedError, VmwrightError
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database

GROUP = ResourceId(SUBSCRIPTION, "web")
KIND = "things/write"


@pytest.fixture
def operations(database: Database) -> Operations:
    return Operations(database)


@pytest.fixture
def background(operations: Operations, events: Events) -> Background:
    return Background(operations, events, most_at_once=2)


def begun(operations: Operations) -> Operation:
    return operations.begin(KIND, GROUP, location="westus")


def now(operations: Operations, operation: Operation) -> Operation:
    found = operations.find(operation.id)
    assert found is not None
    return found


async def test_work_ends_its_operation(operations: Operations, background: Background) -> None:
    done: list[str] = []

    async def work(operation: Operation) -> None:
        done.append(operation.id)

    background.does(KIND, work)
    operation = begun(operations)
    async with background.running():
        background.begin(operation)
        background.begin(operation)
        await background.idle()
    assert done == [operation.id]
    ended = now(operations, operation)
    assert ended.status is Status.SUCCEEDED
    assert ended.ended_at is not None


@pytest.mark.parametrize(
    ("error", "document"),
    [
        (
            ArmError(400, "Unauthorized", "Not authorized", target="/id"),
            {"code": "Unauthorized", "message": "Not authorized", "target": "/id"},
        ),
        (
            UnsupportedError("There is no KVM", hint="vmwright doctor"),
            {"code": "NotSupported", "message": "There is no KVM (vmwright doctor)"},
        ),
    ],
)
async def test_work_that_fails_says_why(
    operations: Operations, background: Background, error: Exception, document: dict[str, str]
) -> None:
    async def work(operation: Operation) -> None:
        raise error

    background.does(KIND, work)
    operation = begun(operations)
    async with background.running():
        await background.idle()
    assert now(operations, operation).document()["error"] == document


async def test_an_error_that_nobody_foresaw_ends_the_operation_and_is_told_to_the_operator(
    operations: Operations, background: Background, recorder: Recorder
) -> None:
    async def work(operation: Operation) -> None:
        raise RuntimeError("a secret of the service")

    background.does(KIND, work)
    operation = begun(operations)
    async with background.running():
        await background.idle()
    ended = now(operations, operation)
    assert (ended.status, (ended.error or {})["code"]) == (Status.FAILED, "InternalServerError")
    assert "a secret" not in str(ended.error)
    assert any("a secret of the service" in str(event) for event in recorder.seen)


async def test_open_operations_are_taken_up_at_the_start_and_those_of_others_are_not(
    operations: Operations, background: Background
) -> None:
    done: list[str] = []

    async def work(operation: Operation) -> None:
        done.append(operation.id)

    background.does(KIND, work)
    waiting = [begun(operations) for _ in range(5)]
    operations.end(waiting[0].id, Status.CANCELED)
    others = operations.begin("others/write", GROUP, location="westus")
    background.begin(waiting[1])
    assert not done
    async with background.running():
        await background.idle()
    assert sorted(done) == sorted(operation.id for operation in waiting[1:])
    assert now(operations, others).status is Status.IN_PROGRESS
    assert now(operations, waiting[0]).status is Status.CANCELED


async def test_a_few_run_at_once(operations: Operations, background: Background) -> None:
    let, running, most = asyncio.Event(), 0, 0

    async def work(operation: Operation) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            let.set()
        await let.wait()
        running -= 1

    background.does(KIND, work)
    for _ in range(6):
        begun(operations)
    async with background.running():
        await background.idle()
    assert most == 2


async def test_work_that_is_stopped_clears_up_and_is_done_at_the_next_start(
    operations: Operations, events: Events
) -> None:
    said: list[str] = []
    started = asyncio.Event()

    async def stopped(operation: Operation) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            said.append("cleared up")

    async def finished(operation: Operation) -> None:
        said.append("done")

    operation = begun(operations)
    for work in (stopped, finished):
        background = Background(operations, events)
        background.does(KIND, work)
        async with background.running():
            if work is stopped:
                await started.wait()
            else:
                await background.idle()
        if work is stopped:
            assert now(operations, operation).status is Status.IN_PROGRESS
    assert said == ["cleared up", "done"]
    assert now(operations, operation).status is Status.SUCCEEDED


@pytest.mark.parametrize("database_settings", ["postgresql"], indirect=True)
async def test_of_two_services_with_one_database_one_does_the_work(
    database: Database, settings: Settings, events: Events
) -> None:
    let, done = asyncio.Event(), []

    async def work(operation: Operation) -> None:
        done.append(operation.id)
        await let.wait()

    operation = begun(Operations(database))
    with contextlib.closing(open_database(settings)) as others:
        one, other = (Background(Operations(of), events) for of in (database, others))
        for background in (one, other):
            background.does(KIND, work)
        async with one.running(), other.running():
            let.set()
            await one.idle()
            await other.idle()
    assert done == [operation.id]


async def test_work_that_does_not_end_is_not_waited_for(
    operations: Operations, events: Events, recorder: Recorder
) -> None:
    started, let = asyncio.Event(), asyncio.Event()

    async def stubborn(operation: Operation) -> None:
        started.set()
        while not let.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let.wait()

    background = Background(operations, events, stop_seconds=0)
    background.does(KIND, stubborn)
    operation = begun(operations)
    try:
        async with background.running():
            await started.wait()
    finally:
        let.set()
    assert now(operations, operation).status is Status.IN_PROGRESS
    assert any("did not end within" in str(event) for event in recorder.seen)
    await background.idle()


async def test_an_end_is_recorded_when_the_database_is_there_again(
    database: Database, events: Events, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = Operations(database)
    operation = begun(operations)
    end, answers = operations.end, iter_of(VmwrightError("The database is away"), None)

    def sometimes(operation_id: str, status: Status, error: ArmError | None = None) -> None:
        if failure := next(answers):
            raise failure
        end(operation_id, status, error)

    async def work(operation: Operation) -> None:
        pass

    monkeypatch.setattr(operations, "end", sometimes)
    monkeypatch.setattr("vmwright.arm.background.AGAIN_SECONDS", 0)
    background = Background(operations, events)
    background.does(KIND, work)
    async with background.running():
        await background.idle()
    assert now(operations, operation).status is Status.SUCCEEDED
    assert any("The database is away" in str(event) for event in recorder.seen)


def iter_of(*values: VmwrightError | None) -> Iterator[VmwrightError | None]:
    return iter(values)
