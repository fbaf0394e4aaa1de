"""Kills and stops what runs builds, at random moments."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from tests.farm import Farm, Host, Worker
from vmwright.state.tables import BuildRow, ExecutorRow

PAUSES = (4.0, 14.0)
# short enough for nothing to happen, or long enough for its lease to be over
STOPS = ((2.0, 9.0), (18.0, 25.0))
PROGRAMS = ("systemd-nspawn", "qemu-storage-da")
RESTARTS = (0.0, 6.0)
# A build may lose its machine so often in one step; the fourth time it fails.
LOSSES = 3
KEEPER = b"vmwright.workers.keeper"


@dataclass(frozen=True)
class Left:
    """A build whose worker was killed."""

    build: str
    attempt: int
    at: float


class Killer:
    """Each ``act`` does what is due by then; after ``rest`` everything that it has stopped goes on."""

    def __init__(self, farm: Farm, chance: random.Random) -> None:
        self._farm = farm
        self._random = chance
        self._due: list[tuple[float, Callable[[], None]]] = [(time.monotonic() + PAUSES[1], self._strike)]
        self._left: list[Left] = []
        self._losses: Counter[str] = Counter()
        self._stopped: set[int] = set()
        self.counts: Counter[str] = Counter()
        self.taken: list[float] = []

    def act(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        due = [what for at, what in self._due if at <= now]
        self._due = [(at, what) for at, what in self._due if at > now]
        for what in due:
            what()
        self._look_for_take_overs()

    def rest(self) -> None:
        """Do no more harm."""
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGCONT)
        self._due = []

    def report(self) -> str:
        """Return what was done, and how long it took until another worker had a build."""
        kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(self.counts.items()))
        if not self.taken:
            return f"{kinds}; no take-over"
        low, middle, high = min(self.taken), statistics.median(self.taken), max(self.taken)
        return f"{kinds}; {len(self.taken)} take-overs after {low:.1f} / {middle:.1f} / {high:.1f} s"

    def _later(self, within: tuple[float, float], what: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + self._random.uniform(*within), what))

    def _strike(self) -> None:
        self._later(PAUSES, self._strike)
        workers = [(host, one) for host in self._farm.hosts for one in host.workers if self._runs(one)]
        if not workers:
            return
        host, worker = self._random.choice(workers)
        kinds: list[Callable[[Host, Worker], str]] = [self._kill, self._kill_all, self._stop, self._lose]
        if done := self._random.choice(kinds)(host, worker):
            self.counts[done] += 1

    def _runs(self, worker: Worker) -> bool:
        return worker.process.poll() is None and worker.process.pid not in self._stopped

    def _kill(self, host: Host, worker: Worker) -> str:
        self._note(worker)
        worker.kill()
        self._later(RESTARTS, lambda: self._start(host))
        return "worker killed"

    def _kill_all(self, host: Host, worker: Worker) -> str:
        """Kill a worker and, before it can do its work, its keeper: the machine goes on until it is found."""
        keepers = children(worker.process.pid, KEEPER)
        if not keepers:
            return ""
        self._note(worker)
        for pid in keepers:
            os.kill(pid, signal.SIGSTOP)
        worker.kill()
        for pid in keepers:
            os.kill(pid, signal.SIGKILL)
        self._start(host)
        return "worker and keeper killed"

    def _stop(self, _host: Host, worker: Worker) -> str:
        worker.signal(signal.SIGSTOP)
        self._stopped.add(worker.process.pid)
        self._later(self._random.choice(STOPS), lambda: self._go_on(worker))
        return "worker stopped"

    def _lose(self, _host: Host, worker: Worker) -> str:
        """Kill a program that a build's container needs."""
        for build in self._builds_of(worker):
            programs = sorted(programs_of(build.build))
            if programs and self._losses[build.build] < LOSSES:
                self._losses[build.build] += 1
                pid, name = self._random.choice(programs)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                return f"{name} killed"
        return ""

    def _start(self, host: Host) -> None:
        host.start_worker()

    def _go_on(self, worker: Worker) -> None:
        self._stopped.discard(worker.process.pid)
        with contextlib.suppress(ProcessLookupError):
            worker.signal(signal.SIGCONT)

    def _note(self, worker: Worker) -> None:
        self._left += self._builds_of(worker)

    def _builds_of(self, worker: Worker) -> list[Left]:
        asked = (
            select(BuildRow.id, BuildRow.attempt)
            .join(ExecutorRow, BuildRow.executor == ExecutorRow.id)
            .where(ExecutorRow.pid == worker.process.pid, BuildRow.ended_at.is_(None))
        )
        with self._farm.database.session() as session:
            return [Left(build, attempt, time.time()) for build, attempt in session.execute(asked)]

    def _look_for_take_overs(self) -> None:
        for left in list(self._left):
            row = self._farm.build(left.build)
            if row.attempt > left.attempt or row.ended_at:
                self._left.remove(left)
                if row.attempt > left.attempt:
                    self.taken.append(time.time() - left.at)


def children(parent: int, mark: bytes) -> list[int]:
    """Return the child processes of one whose command has a word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and mark in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def programs_of(build: str) -> set[tuple[int, str]]:
    """Return the programs of this machine that run for a build's container, by name."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (folder / "comm").read_text().strip()
            if name in PROGRAMS and build.encode() in (folder / "cmdline").read_bytes():
                found.add((int(folder.name), name))
    return found
