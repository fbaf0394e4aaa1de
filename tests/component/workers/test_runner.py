"""A runner where something is amiss: no build that it has taken stays Running with nobody who runs it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.exc import OperationalError

from tests.building import runner
from tests.component.builds.conftest import shell, template
from tests.queueing import row_of
from tests.scripted import Recorder
from vmwright.errors import BuildError, VmwrightError
from vmwright.events import Events
from vmwright.machines.sizes import Capacity
from vmwright.runs.executors import ExecutorKind
from vmwright.runs.queue import claim_next, release
from vmwright.runs.request import BuildRequest
from vmwright.runs.states import RunState, RunSubState
from vmwright.runs.submission import submit
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.workers.worker import Worker

ROOM = Capacity(64, 1 << 20)


@pytest.fixture
def build_id(database: Database) -> str:
    return submit(BuildRequest(template=template(shell(1)), name="web"), database)


async def until_let_go(database: Database, build_id: str) -> None:
    async with asyncio.timeout(30):
        while row_of(database, build_id).executor is not None:
            await asyncio.sleep(0.05)


async def test_a_build_whose_files_this_host_refuses_has_failed(
    settings: Settings, database: Database, build_id: str
) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "builds").write_text("as if the disk were full")
    async with runner(settings, database, kind=ExecutorKind.WORKER) as opened:
        claim = await opened.take(ROOM)
        assert claim is not None
        with pytest.raises(BuildError, match="builds"):
            await opened.run(claim, Events())
    row = row_of(database, build_id)
    assert (row.run_state, row.ended_at is not None) == (RunState.FAILED, True)
    assert "builds" in row.message


async def test_a_build_that_a_worker_has_without_knowing_goes_back_to_the_queue(
    settings: Settings, database: Database, build_id: str
) -> None:
    async with runner(settings, database, kind=ExecutorKind.WORKER) as opened:
        # as if the answer of the database had been lost
        assert claim_next(database, opened.executor, ROOM) is not None
        await until_let_go(database, build_id)
        row = row_of(database, build_id)
        assert (row.run_state, row.run_sub_state) == (RunState.RUNNING, RunSubState.QUEUED)
        again = await opened.take(ROOM)
        assert again is not None
        assert again.attempt == 2
        release(database, again)


async def test_no_build_is_taken_while_the_journal_is_away(
    settings: Settings, database: Database, build_id: str, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise OperationalError("select", {}, Exception("too many clients already"))

    monkeypatch.setattr("vmwright.durable.engine.DBOS.launch", refused)
    worker = Worker(settings, database, Events(recorder))
    with pytest.raises(VmwrightError, match="journal of builds cannot be used"):
        await worker.work(once=True)
    row = row_of(database, build_id)
    assert (row.attempt, row.executor, row.run_sub_state) == (0, None, RunSubState.QUEUED)
