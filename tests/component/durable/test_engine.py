"""The contract of the engine, on both databases: whatever library keeps the journal must do this."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import BaseModel
from sqlalchemy import URL

from tests.conftest import ROOT
from tests.engine_process import STEPS
from tests.journals import everything
from tests.postgres import PostgreSQL
from vmwright.durable import Engine, Journal, engine
from vmwright.errors import BuildError, LostBuildError, VmwrightError
from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.engines import journal_url

SECRET = "hunter2"
Work = Callable[[], int]


class Result(BaseModel):
    """What a step gives that has more to say."""

    path: Path
    number: int


@dataclass
class Workflow:
    """Steps one, two, three; ``ran`` are those that were really run, ``gave`` what each gave."""

    fails: dict[str, Exception] = field(default_factory=dict)
    number: int = 0
    ran: list[str] = field(default_factory=list)
    gave: dict[str, int] = field(default_factory=dict)

    async def __call__(self, journal: Journal) -> None:
        for name in STEPS:

            async def work(name: str = name) -> Result:
                self.ran.append(name)
                if name in self.fails:
                    raise self.fails[name]
                return Result(path=Path("/a"), number=self.number)

            result = await journal.step(name, Result, work)
            assert result.path == Path("/a")
            self.gave[name] = result.number


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings) -> Settings:
    return Settings(home=tmp_path, database=database_settings)


@pytest.fixture
def url(settings: Settings) -> URL:
    return journal_url(settings)


@contextlib.asynccontextmanager
async def launched(url: URL) -> AsyncIterator[Engine]:
    engine = await Engine.launch(url, executor=str(uuid.uuid4()))
    try:
        yield engine
    finally:
        await engine.close()


async def test_a_workflow_runs_its_steps_in_order(url: URL) -> None:
    workflow = Workflow(number=1)
    async with launched(url) as engine:
        await engine.run("a.1", workflow)
    assert workflow.ran == list(STEPS)
    assert workflow.gave == dict.fromkeys(STEPS, 1)


async def test_a_later_attempt_is_given_what_is_done_and_runs_the_rest(url: URL) -> None:
    first = Workflow(number=1, fails={"two": BuildError("no")})
    async with launched(url) as engine:
        with pytest.raises(BuildError, match="no"):
            await engine.run("a.1", first)
    second = Workflow(number=2)
    async with launched(url) as engine:
        await engine.run("a.2", second, after=("a.1",))
    assert second.ran == ["two", "three"]
    assert second.gave == {"one": 1, "two": 2, "three": 2}
    third = Workflow(number=3)
    async with launched(url) as engine:
        await engine.run("a.4", third, after=("a.3", "a.2", "a.1"))  # the third never got so far
    assert (third.ran, third.gave) == ([], second.gave)


@pytest.mark.parametrize(("again_from", "ran"), [("one", STEPS), ("two", STEPS[1:]), ("four", ())])
async def test_steps_are_run_again_where_that_is_asked_for(
    url: URL, again_from: str, ran: tuple[str, ...]
) -> None:
    again = Workflow(number=2)
    async with launched(url) as engine:
        await engine.run("a.1", Workflow(number=1))
        await engine.run("a.2", again, after=("a.1",), again_from=again_from)
    assert again.ran == list(ran)
    assert again.gave == {name: 2 if name in ran else 1 for name in STEPS}


async def test_what_an_error_says_is_not_in_the_journal(url: URL) -> None:
    for number, error in enumerate((BuildError(SECRET), OSError(5, "EIO", SECRET), KeyError(SECRET))):
        async with launched(url) as engine:
            with pytest.raises(type(error)) as raised:
                await engine.run(f"{number}.1", Workflow(fails={"two": error}))
        assert raised.value is error
    kept = everything(url)
    assert "BuildError" in kept
    assert SECRET not in kept


async def test_a_journal_of_other_steps_is_not_used(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    async with launched(url) as older:
        await older.run("a.1", Workflow(number=1))
    monkeypatch.setattr(engine, "VERSION", "pipeline-of-tomorrow")
    newer = Workflow(number=2)
    async with launched(url) as another:
        await another.run("a.2", newer, after=("a.1",))
    assert newer.ran == list(STEPS)


async def test_what_is_forgotten_is_not_taken_over(url: URL) -> None:
    again = Workflow(number=2)
    async with launched(url) as engine:
        await engine.run("a.1", Workflow(number=1))
        await engine.forget(["a.1", "a.0"])
        await engine.run("a.2", again, after=("a.1",))
    assert again.ran == list(STEPS)


async def test_an_attempt_that_has_been_cancelled_begins_no_step(url: URL) -> None:
    workflow, begun, goes_on = Workflow(), asyncio.Event(), asyncio.Event()

    async def body(journal: Journal) -> None:
        begun.set()
        await goes_on.wait()
        await workflow(journal)

    async with launched(url) as engine:
        running = asyncio.create_task(engine.run("a.1", body))
        await begun.wait()
        await engine.cancel("a.1")
        goes_on.set()
        with pytest.raises(LostBuildError):
            await running
    assert workflow.ran == []


async def test_a_database_that_is_none_is_said_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no database at all" * 100)
    url = journal_url(Settings(home=tmp_path))
    with pytest.raises(VmwrightError, match="journal"):
        await Engine.launch(url, executor="a")
    (tmp_path / "journal.sqlite").unlink()
    async with launched(url) as engine:  # the process may try again
        await engine.run("a.1", Workflow())


def connections_to(port: int) -> Iterator[socket.socket]:
    """Give this process's connections to a port of this host."""
    for file in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if str(file.readlink()).startswith("socket:"):
                with socket.socket(fileno=os.dup(int(file.name))) as one:
                    if one.family == socket.AF_INET and one.getpeername()[1] == port:
                        yield one


async def test_a_server_that_vanishes_is_noticed(postgresql: PostgreSQL) -> None:
    alive = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_USER_TIMEOUT: 30_000}
    with postgresql.migrated() as configured:
        async with launched(journal_url(Settings(database=configured))) as engine:
            await engine.run("a.1", Workflow())
            noticed = [
                {name: one.getsockopt(socket.IPPROTO_TCP, name) for name in alive}
                for one in connections_to(postgresql.port)
            ]
    assert noticed
    assert all(one == alive for one in noticed)


class Running:
    """A process with an engine."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def goes_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def another_process(settings: Settings, *keys: str) -> Iterator[Running]:
    environment = {**os.environ, "VMWRIGHT_HOME": str(settings.home)}
    if settings.database.url:
        environment["VMWRIGHT_DATABASE__URL"] = settings.database.url.get_secret_value()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.engine_process", *keys],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        try:
            running = Running(process)
            assert running.says() == "ready"
            yield running
        finally:
            process.kill()


async def test_the_workflow_of_a_killed_process_goes_on_in_another(settings: Settings, url: URL) -> None:
    with another_process(settings, "a.1") as killed:
        assert killed.says() == "one"
        killed.goes_on()
        assert killed.says() == "two"
        killed.process.kill()
        killed.process.wait()
    workflow = Workflow(number=2)
    async with launched(url) as engine:

        async def body(journal: Journal) -> None:
            async def work() -> int:
                workflow.ran.append("one")
                return 0

            assert await journal.step("one", int, work) == 1  # what the killed process heard
            await journal.step("two", int, work)

        await engine.run("a.2", body, after=("a.1",))
    assert workflow.ran == ["one"]


async def test_processes_do_not_touch_each_others_workflows(settings: Settings, url: URL) -> None:
    with another_process(settings, "a.1") as running:
        assert running.says() == "one"
        workflow = Workflow()
        async with launched(url) as engine:
            await engine.run("b.1", workflow)
        assert workflow.ran == list(STEPS)
        said = []
        for _ in STEPS:
            running.goes_on()
            said.append(running.says())
        assert said == ["two", "three", "done"]


async def test_a_process_learns_that_it_has_lost_its_workflow(settings: Settings, url: URL) -> None:
    with another_process(settings, "a.1") as running:
        assert running.says() == "one"
        async with launched(url) as engine:

            async def body(journal: Journal) -> None:
                async def work() -> int:
                    return 2

                assert await journal.step("one", int, work) == 2

            await engine.run("a.2", body, after=("a.1",))
        assert running.says() == "lost"
