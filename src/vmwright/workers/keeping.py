"""The owner's side of the keeper (``keeper.py``): starting it, telling it, starting another one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Self

from vmwright import process
from vmwright.marks import own_token
from vmwright.state.resources import ResourceKind
from vmwright.workers import keeper as program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.process import Running

KEPT = frozenset({ResourceKind.PROCESS, ResourceKind.CGROUP})
END_SECONDS = 10.0
# a keeper that ends again and again before it has lived this long is not started any more
SHORT_LIFE = 5.0
SHORT_LIVES = 3


class Keeper:
    """A keeper that runs; made by ``started``. It is told of claims as the ``observer`` of a ``Ledger``."""

    def __init__(self, events: Events, log: Path) -> None:
        self._events = events
        self._log = log
        self._claims: set[tuple[ResourceKind, str]] = set()
        self._patience: float | None = None
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
        await keeper._start()
        watching = asyncio.create_task(keeper._watch())
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
        is_overdue = self._deadline is not None and time.monotonic() >= self._deadline
        return self._stops + is_overdue

    def claimed(self, kind: ResourceKind, identity: str) -> None:
        """Let it know of a claim, before the thing is made."""
        if kind in KEPT:
            self._claims.add((kind, identity))
            self._tell(f"claim {kind} {identity}")

    def released(self, kind: ResourceKind, identity: str) -> None:
        """Let it know that the thing is gone."""
        if kind in KEPT:
            self._claims.discard((kind, identity))
            self._tell(f"release {kind} {identity}")

    def beat(self, seconds: float) -> None:
        """Live: where no other beat comes within so many seconds, everything is killed."""
        self._stops = self.stops
        self._patience = seconds
        self._deadline = time.monotonic() + seconds
        self._tell(f"beat {seconds:g}")

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

    async def _start(self) -> None:
        theirs, ours = os.pipe()
        os.set_blocking(ours, False)
        with contextlib.ExitStack() as unless_started:
            unless_started.callback(os.close, ours)
            try:
                # -P: the working folder is no place to look for modules
                argv = [sys.executable, "-P", "-m", program.__name__]
                self._running = await process.start(argv, log=self._log, stdin=theirs)
            finally:
                os.close(theirs)
            unless_started.pop_all()
        self._pipe = ours
        self._tell(f"owner {own_token()}")
        for kind, identity in sorted(self._claims):
            self._tell(f"claim {kind} {identity}")
        if self._patience is not None:
            self.beat(self._patience)

    async def _watch(self) -> None:
        """Start another keeper when this one ends, which only a kill from outside makes it do."""
        loop, short = asyncio.get_running_loop(), 0
        while self._running and short < SHORT_LIVES:
            begun = loop.time()
            code = await self._running.wait()
            short = short + 1 if loop.time() - begun < SHORT_LIFE else 0
            self._hang_up()
            self._events.warn(
                f"The keeper, which ends machines when vmwright dies, ended with exit code {code}; "
                "another is started"
            )
            await self._start()
        self._events.warn(f"The keeper ends again and again: {self._log} may tell why")

    async def _end(self) -> None:
        self._tell(program.END)
        self._hang_up()
        if self._running:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._running.wait()
            await self._running.end(grace=0)

    def _hang_up(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
