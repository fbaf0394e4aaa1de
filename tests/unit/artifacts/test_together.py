"""Several pieces of work at once: the first failure ends all; what was cancelled does not count as done."""

from __future__ import annotations

import asyncio

import pytest

from vmwright.artifacts.together import Together, each


async def forever() -> None:
    await asyncio.Event().wait()


async def failing(error: BaseException) -> None:
    raise error


async def test_all_is_done_and_results_are_there() -> None:
    async with Together() as together:
        one, two = together.start(asyncio.sleep(0, "one")), together.start(asyncio.sleep(0, "two"))
    assert (one.result(), two.result()) == ("one", "two")


async def test_the_first_failure_is_raised_as_it_is_and_ends_the_rest() -> None:
    waiting: list[asyncio.Task[None]] = []

    async def work() -> None:
        async with Together() as together:
            waiting.append(together.start(forever()))
            together.start(failing(OSError("full")))

    with pytest.raises(OSError, match="full"):
        await work()
    assert waiting[0].cancelled()


async def test_work_that_was_cancelled_is_not_done() -> None:
    async def work() -> None:
        async with Together() as together:
            together.start(failing(asyncio.CancelledError()))

    with pytest.raises(asyncio.CancelledError):
        await work()


async def test_no_more_are_under_way_than_were_allowed() -> None:
    under_way, most, done = 0, 0, []

    async def work(item: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done.append(item)

    await each(range(10), work, at_once=3)
    assert (most, sorted(done)) == (3, list(range(10)))


async def test_items_after_a_failure_are_not_begun() -> None:
    begun: list[int] = []

    async def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise OSError("full")
        await forever()

    with pytest.raises(OSError, match="full"):
        await each(range(10), work, at_once=2)
    assert begun == [0, 1]
