"""The heartbeat of an executor: its lease is renewed for as long as its process runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from vmwright.runs.executors import Executor

# How often it is tried within one beat while the database cannot be reached.
RETRIES = 5
DECLARED_DEAD = "this process was not heard of for too long, and has been declared dead"


@contextlib.asynccontextmanager
async def beating(
    executor: Executor, *, renewed: Callable[[float], None], lost: Callable[[str], None]
) -> AsyncIterator[None]:
    """Renew an executor's lease while the block runs. Neither ends the executor nor its builds.

    :param renewed: is called after each renewal, with the seconds for which the lease lasts from then on.
    :param lost: is called at most once, with the reason, when others may have this executor's builds by now:
        it was declared dead, or the database could not be reached for as long as the lease lasts. From then
        on there is no heartbeat; a new executor has to be registered.
    """
    heart = asyncio.create_task(_beat(executor, renewed, lost))
    try:
        yield
    finally:
        heart.cancel()
        await asyncio.wait([heart])
        if not heart.cancelled():
            heart.result()


async def _beat(executor: Executor, renewed: Callable[[float], None], lost: Callable[[str], None]) -> None:
    # a thread of its own: those of the loop may all be busy copying disks
    threads = ThreadPoolExecutor(1, thread_name_prefix="heartbeat")
    try:
        lost(await _until_lost(executor, threads, renewed))
    finally:
        # a beat under way is let come to its end, so that the database may be closed then
        last = asyncio.get_running_loop().run_in_executor(threads, _nothing)
        threads.shutdown(wait=False)
        await asyncio.wait([last], timeout=executor.lease.beat)


async def _until_lost(
    executor: Executor, threads: ThreadPoolExecutor, renewed: Callable[[float], None]
) -> str:
    """Beat until the lease is lost; return why it is.

    A process that was stopped for longer than its lease still tries: perhaps nobody has missed it.
    """
    loop, lease = asyncio.get_running_loop(), executor.lease
    held_since, fault = _seconds(), ""
    while True:
        await asyncio.sleep(lease.beat / RETRIES if fault else lease.beat)
        begun = _seconds()
        left = held_since + lease.ttl - begun
        if fault and left <= 0:
            return _unreachable(held_since, fault)
        try:
            async with asyncio.timeout(left if left > 0 else lease.beat):
                held = await loop.run_in_executor(threads, executor.beat)
        except TimeoutError:
            return _unreachable(held_since, fault or "no answer")
        except VmwrightError as error:
            fault = error.message
            continue
        if not held:
            return DECLARED_DEAD
        held_since, fault = begun, ""
        # the database may have taken its time to answer
        renewed(begun + lease.ttl - _seconds())


def _nothing() -> None:
    """Be a thread's last work."""


def _unreachable(since: float, reason: str) -> str:
    return f"the database could not be reached for {_seconds() - since:.0f} seconds: {reason}"


def _seconds() -> float:
    """Return seconds since the host was started, those in which it slept among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
