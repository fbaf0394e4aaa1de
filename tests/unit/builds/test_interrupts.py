"""What ends a build's work before its time."""

from __future__ import annotations

import asyncio

import pytest

from vmwright.builds.interrupts import Interrupts
from vmwright.builds.once import Once
from vmwright.errors import (
    BuildCanceledError,
    BuildTimeoutError,
    HandedOverError,
    ProcessError,
    StepError,
    VmwrightError,
)


def never() -> bool:
    return False


class Work:
    """Work that goes on until it is ended, and fails then where it is told to."""

    def __init__(self, fails: StepError | None = None) -> None:
        self.begun = asyncio.Event()
        self.cleaned_up = 0
        self._fails = fails

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.cleaned_up += 1
            if self._fails:
                raise self._fails


async def test_work_that_nothing_interrupts_gives_its_result() -> None:
    async def work() -> int:
        return 1

    assert await Interrupts(never).run(work()) == 1


async def test_an_interrupt_ends_the_work_after_its_clean_up_and_the_first_reason_counts() -> None:
    interrupts, work = Interrupts(never), Work()
    running = asyncio.create_task(interrupts.run(work()))
    await work.begun.wait()
    reason = BuildCanceledError("cancelled")
    interrupts.interrupt(reason)
    interrupts.interrupt(BuildTimeoutError("too late"))
    with pytest.raises(BuildCanceledError) as raised:
        await running
    assert raised.value is reason
    assert work.cleaned_up == 1


async def test_what_fails_in_a_process_that_stood_still_tells_nothing() -> None:
    failure = ProcessError("qemu-img failed with exit code -9")
    assert Interrupts(never).cause_of(failure) is failure
    cause = Interrupts(lambda: True).cause_of(failure)
    assert isinstance(cause, HandedOverError)
    assert "qemu-img failed with exit code -9" in cause.message


async def test_what_fails_while_an_interrupt_is_seen_to_is_not_why_the_build_ends() -> None:
    interrupts = Interrupts(lambda: True)
    interrupts.interrupt(reason := BuildCanceledError("cancelled"))
    assert interrupts.cause_of(reason) is reason
    assert interrupts.cause_of(ProcessError("umount failed meanwhile")) is reason


async def test_nothing_begins_after_an_interrupt() -> None:
    interrupts, work = Interrupts(never), Work()
    interrupts.interrupt(BuildCanceledError("cancelled"))
    with pytest.raises(BuildCanceledError):
        await interrupts.run(work())
    assert not work.begun.is_set()


async def test_work_that_fails_while_it_is_interrupted_has_failed() -> None:
    interrupts, work = Interrupts(never), Work(StepError("failed meanwhile"))
    running = asyncio.create_task(interrupts.run(work()))
    await work.begun.wait()
    interrupts.interrupt(BuildCanceledError("cancelled"))
    with pytest.raises(StepError, match="meanwhile"):
        await running


async def test_a_cancel_of_the_waiting_task_is_no_interrupt() -> None:
    interrupts, work = Interrupts(never), Work()
    running = asyncio.create_task(interrupts.run(work()))
    await work.begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (interrupts.reason, work.cleaned_up) == (None, 1)


async def test_work_is_done_once_and_may_begin_before_it_is_wanted() -> None:
    begun = asyncio.Event()
    times = 0

    async def work() -> int:
        nonlocal times
        times += 1
        begun.set()
        return times

    once = Once(work, Interrupts(never))
    once.begin()
    await begun.wait()
    assert (await once(), await once()) == (1, 1)
    await once.drop()


async def test_work_that_nobody_wants_any_more_is_ended() -> None:
    work = Work()
    once = Once(work, Interrupts(never))
    once.begin()
    await work.begun.wait()
    await once.drop()
    assert work.cleaned_up == 1


async def test_work_that_was_not_begun_needs_no_end() -> None:
    work = Work()
    await Once(work, Interrupts(never)).drop()
    assert not work.begun.is_set()


async def test_work_fails_as_soon_as_what_runs_beside_it() -> None:
    async def fails() -> None:
        raise VmwrightError("beside it")

    long = Work()
    mine, beside = Once(long, Interrupts(never)), Once(fails, Interrupts(never))
    beside.begin()
    with pytest.raises(VmwrightError, match="beside it"):
        await mine.unless(beside)
    await mine.drop()
    await beside.drop()


async def test_work_that_is_done_does_not_wait_for_what_runs_beside_it() -> None:
    async def quick() -> int:
        return 1

    long = Work()
    mine, beside = Once(quick, Interrupts(never)), Once(long, Interrupts(never))
    beside.begin()
    assert await mine.unless(beside) == 1
    await beside.drop()
    assert long.cleaned_up == 1
