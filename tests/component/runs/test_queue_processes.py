"""Several processes at one queue: real ones, which are stopped and killed, on both databases."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.queueing import ALL, let_lease_end, row_of, submit, worker
from vmwright.runs.queue import claim_next
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.host import host_id
from vmwright.state.tables import ExecutorRow

ROOT = Path(__file__).parents[3]
PROCESSES = 4
SECONDS = 120


class Taking:
    """A process that takes builds once it is told to go."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def hears(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def taking(what: str, settings: Settings) -> Iterator[Taking]:
    environment = {**os.environ, "VMWRIGHT_HOME": str(settings.home)}
    if settings.database.url:
        environment["VMWRIGHT_DATABASE__URL"] = settings.database.url.get_secret_value()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.queue_process", what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        try:
            yield Taking(process)
        finally:
            process.kill()


@pytest.mark.parametrize("templates", [200, 7])
def test_of_many_at_once_one_takes_each_build(database: Database, settings: Settings, templates: int) -> None:
    builds = {submit(database, f"t{number % templates}") for number in range(200)}
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(taking("all", settings)) for _ in range(PROCESSES)]
        assert [one.says() for one in processes] == ["ready"] * PROCESSES
        for one in processes:
            one.hears("go")
        taken = [
            line.split()
            for one in processes
            for line in one.process.communicate(timeout=SECONDS)[0].splitlines()
        ]
        assert [one.process.returncode for one in processes] == [0] * PROCESSES
    assert len(taken) == len(builds)
    assert {build for build, _, _ in taken} == builds
    # each in its first attempt, and alone of its template
    assert {(attempt, same) for _, attempt, same in taken} == {("1", "1")}


def test_what_a_killed_process_had_is_taken_over_at_once(database: Database, settings: Settings) -> None:
    build = submit(database, "web")
    other = worker(database)
    with taking("one", settings) as first:
        first.says()
        first.hears("go")
        assert first.says() == build
        assert claim_next(database, other, ALL) is None
        first.process.kill()
        first.process.wait(SECONDS)
    taken = claim_next(database, other, ALL)
    assert taken is not None
    assert (taken.build_id, taken.attempt) == (build, 2)


def test_a_process_that_was_stopped_for_too_long_writes_nothing_any_more(
    database: Database, settings: Settings
) -> None:
    build = submit(database, "web")
    other = worker(database)
    with taking("one", settings) as first:
        first.says()
        first.hears("go")
        assert first.says() == build
        first.hears("its own")
        assert first.says() == "written"
        os.kill(first.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, first.process.pid, os.WSTOPPED)
        first.hears("of a sleeper")
        assert claim_next(database, other, ALL) is None
        let_lease_end(database, executor_of(database, first.process.pid))
        taken = claim_next(database, other, ALL)
        assert taken is not None
        assert taken.attempt == 2
        os.kill(first.process.pid, signal.SIGCONT)
        assert first.says() == "refused"
    assert row_of(database, build).message == "its own"


def executor_of(database: Database, pid: int) -> str:
    with database.session() as session:
        found = select(ExecutorRow.id).where(ExecutorRow.pid == pid, ExecutorRow.host == host_id())
        return session.scalars(found).one()
