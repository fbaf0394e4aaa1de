"""The heartbeat of an executor, and how it learns that it has lost its lease."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tests.queueing import offer
from vmwright.errors import VmwrightError
from vmwright.runs.executors import Executor, ExecutorKind, Lease, living
from vmwright.state.database import Database
from vmwright.workers import heartbeat
from vmwright.workers.heartbeat import DECLARED_DEAD, beating

QUICK = Lease(ttl=1.0, beat=0.1)


class Heard:
    """What an executor's owner is told."""

    def __init__(self) -> None:
        self.beats = 0
        self.beat = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = self.loop.create_future()

    def renewed(self, lasts: float) -> None:
        assert 0 < lasts <= QUICK.ttl
        self.beats += 1
        self.loop.call_soon_threadsafe(self.beat.set)

    async def another(self) -> None:
        self.beat.clear()
        await asyncio.wait_for(self.beat.wait(), 20)


@pytest.fixture
def executor(database: Database) -> Executor:
    return Executor.register(database, ExecutorKind.WORKER, offer(), lease=QUICK)


async def test_a_lease_is_renewed_while_the_block_runs(database: Database, executor: Executor) -> None:
    heard = Heard()
    (first,) = living(database)
    async with beating(executor, renewed=heard.renewed, lost=heard.lost.set_result):
        for _ in range(3):
            await heard.another()
        (later,) = living(database)
    beats = heard.beats
    assert later.lease_until > first.lease_until
    await asyncio.sleep(QUICK.beat * 3)
    assert (heard.beats, heard.lost.done()) == (beats, False)


async def test_who_is_declared_dead_is_told_once_and_beats_no_more(executor: Executor) -> None:
    heard = Heard()
    async with beating(executor, renewed=heard.renewed, lost=heard.lost.set_result):
        await heard.another()
        executor.end()
        assert await asyncio.wait_for(heard.lost, 20) == DECLARED_DEAD
        beats = heard.beats
        await asyncio.sleep(QUICK.beat * 3)
        assert heard.beats == beats


class FailingExecutor(Executor):
    """One whose database fails as the test says."""

    fault: VmwrightError | None = None
    answers: threading.Event | None = None

    def beat(self) -> bool:
        if self.answers:
            self.answers.wait(20)
        if self.fault:
            raise self.fault
        return super().beat()


@pytest.fixture
def failing(database: Database) -> FailingExecutor:
    return FailingExecutor.register(database, ExecutorKind.WORKER, offer(), lease=QUICK)


async def test_a_database_that_comes_back_in_time_is_no_loss(failing: FailingExecutor) -> None:
    heard = Heard()
    failing.fault = VmwrightError("gone")
    async with beating(failing, renewed=heard.renewed, lost=heard.lost.set_result):
        await asyncio.sleep(QUICK.ttl / 3)
        assert heard.beats == 0
        failing.fault = None
        await heard.another()
        assert not heard.lost.done()


async def test_a_database_that_stays_away_is_a_loss_with_its_reason(failing: FailingExecutor) -> None:
    heard = Heard()
    failing.fault = VmwrightError("server closed the connection")
    async with beating(failing, renewed=heard.renewed, lost=heard.lost.set_result):
        reason = await asyncio.wait_for(heard.lost, 20)
    assert "could not be reached" in reason
    assert reason.endswith("server closed the connection")


async def test_a_database_that_does_not_answer_is_a_loss(failing: FailingExecutor) -> None:
    heard = Heard()
    failing.answers = threading.Event()
    async with beating(failing, renewed=heard.renewed, lost=heard.lost.set_result):
        reason = await asyncio.wait_for(heard.lost, 20)
        failing.fault = VmwrightError("too late")
        failing.answers.set()
    assert reason.endswith("no answer")


async def test_beats_do_not_wait_for_the_loops_threads(executor: Executor) -> None:
    heard, free = Heard(), threading.Event()
    async with beating(executor, renewed=heard.renewed, lost=heard.lost.set_result):
        busy = [asyncio.create_task(asyncio.to_thread(free.wait, 20)) for _ in range(64)]
        await heard.another()
        await heard.another()
        free.set()
        await asyncio.gather(*busy)


async def test_beats_do_not_wait_for_the_loop_itself(executor: Executor) -> None:
    beats, heard = threading.Semaphore(0), Heard()
    async with beating(executor, renewed=lambda _: beats.release(), lost=heard.lost.set_result):
        assert all(beats.acquire(timeout=20) for _ in range(3))
    assert not heard.lost.done()


def stands_still_until_dead(database: Database) -> None:
    while living(database):
        time.sleep(0.01)


async def test_a_loop_that_stands_still_for_long_loses_its_lease(
    database: Database, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "STILL_SECONDS", 3 * QUICK.beat)
    heard = Heard()
    async with beating(executor, renewed=heard.renewed, lost=heard.lost.set_result):
        await heard.another()
        stands_still_until_dead(database)
        assert await asyncio.wait_for(heard.lost, 20) == DECLARED_DEAD
