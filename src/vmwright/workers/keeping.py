"""The owner's side of the keeper (``keeper.py``): starting it, telling it, starting another one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Self

from vmwright import process
from vmwright.errors import VmwrightError
from vmwright.marks import own_token
from vmwright.state.resources import ResourceKind
from vmwright.workers import keeper as program
from vmwright.workers.clock import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.process import Running

KEPT = frozenset({ResourceKind.PROCESS, ResourceKind.CGROUP})
END_SECONDS = 10.0
# Seconds before another keeper is started, by how many in a row could not be, or did not live for long.
PAUSES = (0.0, 0.0, 1.0, 5.0, 15.0, 60.0)
SHORT_LIFE = 5.0


class Keeper:
    """A keeper that runs; made by ``started``. It is told of claims as the ``observer`` of a ``Ledger``.

    It may be told from any thread, also while another one is started.
    """

    def __init__(self, events: Events, log: Path) -> None:
        self._events = events
        self._log = log
        self._claims: set[tuple[ResourceKind, str]] = set()
        self._lock = threading.RLock()
        self._deadline: float | None = None
        self._stops = 0
        self._pipe: int | None = None
        self._running: Running | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, events: Events, *, log: Path) -> AsyncIterator[Self]:
        """Run a keeper beside this process while the block runs.

        From then on, whatever this process starts is killed when it dies. At the end of the block only what
        is still claimed is.

        :param log: a file to which the keeper adds what it has killed, and why.
        :raises ProcessError: it cannot be started.
        """
        keeper = cls(events, log)
        first = await keeper._start()
        watching = asyncio.create_task(keeper._watch(first))
        try:
            yield keeper
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await keeper._end()

    @property
    def pid(self) -> int:
        """The process id of the keeper that runs now."""
        return self._running.pid if self._running else 0

    @property
    def stops(self) -> int:
        """How often the keeper has ended everything, for a beat was overdue."""
        with self._lock:
            is_overdue = self._deadline is not None and seconds() >= self._deadline
            return self._stops + is_overdue

    def claimed(self, kind: ResourceKind, identity: str) -> None:
        """Let it know of a claim, before the thing is made."""
        if kind in KEPT:
            with self._lock:
                self._claims.add((kind, identity))
                self._tell(f"claim {kind} {identity}")

    def released(self, kind: ResourceKind, identity: str) -> None:
        """Let it know that the thing is gone."""
        if kind in KEPT:
            with self._lock:
                self._claims.discard((kind, identity))
                self._tell(f"release {kind} {identity}")

    def beat(self, lasts: float) -> None:
        """Live: where no other beat comes within so many seconds, everything is killed."""
        with self._lock:
            self._stops = self.stops
            self._deadline = seconds() + lasts
            self._tell(f"beat {self._deadline}")

    def _tell(self, line: str) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, f"{line}\n".encode())
        except BrokenPipeError:
            pass  # it has ended: the next one is told everything
        except BlockingIOError:
            # it does not read, so it is of no use: likewise
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _start(self) -> Running:
        theirs, ours = os.pipe()
        os.set_blocking(ours, False)
        with contextlib.ExitStack() as unless_started:
            unless_started.callback(os.close, ours)
            try:
                # -P: the working folder is no place to look for modules
                argv = [sys.executable, "-P", "-m", program.__name__]
                running = self._running = await process.start(argv, log=self._log, stdin=theirs)
            finally:
                os.close(theirs)
            unless_started.pop_all()
        with self._lock:
            self._pipe = ours
            self._tell(f"owner {own_token()}")
            for kind, identity in sorted(self._claims):
                self._tell(f"claim {kind} {identity}")
            if self._deadline is not None:
                self._tell(f"beat {self._deadline}")
        return running

    async def _watch(self, first: Running) -> None:
        """Start another keeper when this one ends, which only a kill from outside makes it do."""
        loop, short = asyncio.get_running_loop(), 0
        begun, end = loop.time(), await self._end_of(first)
        while True:
            short = short + 1 if loop.time() - begun < SHORT_LIFE else 0
            self._events.warn(f"The keeper, which ends machines when vmwright dies, {end}")
            await asyncio.sleep(PAUSES[min(short, len(PAUSES) - 1)])
            begun = loop.time()
            try:
                end = await self._end_of(await self._start())
            except (VmwrightError, OSError, RuntimeError) as error:  # the last one: no thread to wait for it
                end = f"cannot be started, and is tried again: {error}"

    async def _end_of(self, running: Running) -> str:
        """Wait for the end of the keeper that runs; return how it came to it."""
        code = await running.wait()
        self._hang_up()
        return f"ended with exit code {code}; another is started ({self._log} may tell why)"

    async def _end(self) -> None:
        with self._lock:
            self._tell(program.END)
            self._hang_up()
        if self._running:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._running.wait()
            await self._running.end(grace=0)

    def _hang_up(self) -> None:
        with self._lock:
            if self._pipe is not None:
                os.close(self._pipe)
                self._pipe = None
