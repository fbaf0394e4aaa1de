"""Work beside other work, and work that no cancel cuts in two."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from vmwright.disks.uncut import beside, uncut
from vmwright.errors import MachineError


async def test_a_cancel_comes_after_the_work() -> None:
    begun, may_end, done = asyncio.Event(), asyncio.Event(), False

    async def work() -> None:
        nonlocal done
        begun.set()
        await may_end.wait()
        done = True

    task = asyncio.create_task(uncut(work()))
    await begun.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done


async def test_the_block_ends_when_both_have() -> None:
    may_end = asyncio.Event()
    async with beside(may_end.wait()):
        may_end.set()
    assert may_end.is_set()


async def fails() -> None:
    raise MachineError("beside")


async def test_an_error_of_the_block_ends_the_work_and_comes_first() -> None:
    async def block(work: Coroutine[None, None, object]) -> None:
        async with beside(work):
            await asyncio.sleep(0)
            raise MachineError("block")

    for work in (asyncio.Event().wait(), fails()):
        with pytest.raises(MachineError, match="block"):
            await block(work)


async def test_an_error_of_the_work_is_raised_when_the_block_has_ended() -> None:
    ended = asyncio.Event()

    async def block() -> None:
        async with beside(fails()):
            await asyncio.sleep(0)
            ended.set()

    with pytest.raises(MachineError, match="beside"):
        await block()
    assert ended.is_set()
