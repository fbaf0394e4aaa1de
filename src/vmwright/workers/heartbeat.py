"""The heartbeat of an executor: its lease is renewed for as long as its process runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from vmwright.errors import VmwrightError
from vmwright.workers.clock import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from vmwright.runs.executors import Executor

# How often it is tried within one beat while the database cannot be reached.
RETRIES = 5
# The event loop may wait for the database for this long; one that stands still for longer may do so for ever.
STILL_SECONDS = 120.0
DECLARED_DEAD = "this process was not heard of for too long, and has been declared dead"


@contextlib.asynccontextmanager
async def beating(
    executor: Executor, *, renewed: Callable[[float], None], lost: Callable[[str], None]
) -> AsyncIterator[None]:
    """Renew an executor's lease while the block runs. Neither ends the executor nor its builds.

    What holds the event loop up does not hold up the heart, which has a thread of its own.

    :param renewed: is called after each renewal, in that thread, with the seconds for which the lease lasts
        from then on.
    :param lost: is called at most once, in the event loop, with the reason, when others may have this
        executor's builds by now: it was declared dead, or the database could not be reached for as long as
        the lease lasts. From then on there is no heartbeat; a new executor has to be registered.
    """
    over = threading.Event()

    def tell(why: str) -> None:
        if not over.is_set():
            lost(why)

    heart = _Heart(executor, renewed, tell, over)
    threads = ThreadPoolExecutor(1, thread_name_prefix="heart")
    beats = asyncio.get_running_loop().run_in_executor(threads, heart.run)
    try:
        yield
    finally:
        over.set()
        # a beat under way is let come to its end, so that the database may be closed then
        await asyncio.wait([beats], timeout=executor.lease.beat)
        threads.shutdown(wait=False)
        if beats.done():
            beats.result()


class _Heart:
    """What beats in a thread until ``over`` is set or the lease is lost; ``lost`` is called in the loop."""

    def __init__(
        self,
        executor: Executor,
        renewed: Callable[[float], None],
        lost: Callable[[str], None],
        over: threading.Event,
    ) -> None:
        self._executor = executor
        self._renewed = renewed
        self._lost = lost
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._moved = time.monotonic()

    def run(self) -> None:
        """Beat, and tell why there are no more beats."""
        # the database is asked in another thread: it may take longer to answer than the lease lasts
        with ThreadPoolExecutor(1, thread_name_prefix="heartbeat") as asking:
            if why := self._until_lost(asking):
                self._loop.call_soon_threadsafe(self._lost, why)

    def _until_lost(self, asking: ThreadPoolExecutor) -> str:
        """Beat until the lease is lost; return why it is, or nothing where the block is over.

        A process that was stopped for longer than its lease still tries: perhaps nobody has missed it.
        """
        lease = self._executor.lease
        held_since, fault = seconds(), ""
        while not self._over.wait(lease.beat / RETRIES if fault else lease.beat):
            if self._stands_still():
                continue
            begun = seconds()
            left = held_since + lease.ttl - begun
            if fault and left <= 0:
                return _unreachable(held_since, fault)
            try:
                held = asking.submit(self._executor.beat).result(left if left > 0 else lease.beat)
            except TimeoutError:
                return _unreachable(held_since, fault or "no answer")
            except VmwrightError as error:
                fault = error.message
                continue
            if not held:
                return DECLARED_DEAD
            held_since, fault = begun, ""
            if not self._over.is_set():
                # the database may have taken its time to answer
                self._renewed(begun + lease.ttl - seconds())
        return ""

    def _stands_still(self) -> bool:
        """Return whether the event loop has not moved for too long; it is asked anew each time."""
        moved = self._moved
        self._loop.call_soon_threadsafe(self._move)
        return time.monotonic() - moved > STILL_SECONDS

    def _move(self) -> None:
        self._moved = time.monotonic()


def _unreachable(since: float, reason: str) -> str:
    return f"the database could not be reached for {seconds() - since:.0f} seconds: {reason}"
