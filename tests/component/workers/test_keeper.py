"""The keeper beside real owners, which are killed, stopped, or end well."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.owners import dead, is_alive, owner
from vmwright import marks, process
from vmwright.errors import ProcessError
from vmwright.events import Events, Notice
from vmwright.state.resources import ResourceKind
from vmwright.workers import keeper, keeping
from vmwright.workers.keeper import Charge
from vmwright.workers.keeping import Keeper

# What a build has: a machine that is claimed, and a program that is not, both with a child.
MACHINE = """
token = f"machine-of-{folder}"
ledger.claim(ResourceKind.PROCESS, token)
machine = await process.start(["sh", "-c", "sleep 600; true"], log=folder / "log", env=marks.marked(token))
copy = asyncio.create_task(process.run(["sh", "-c", "echo $$ > copy.pid; sleep 601; true"], timeout=600))
while not Path("copy.pid").exists() or not Path("copy.pid").read_text():
    await asyncio.sleep(0.01)
say(pid=os.getpid(), keeper=keeper.pid, machine=machine.pid, copy=int(Path("copy.pid").read_text()))
"""
WAIT = "await asyncio.sleep(600)\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("whole_group", [False, True], ids=["owner", "group"])
async def test_all_that_an_owner_has_started_dies_with_it(tmp_path: Path, *, whole_group: bool) -> None:
    async with owner(MACHINE + WAIT, tmp_path) as one:
        made = await one.says()
        assert is_alive(made["machine"])
        (os.killpg if whole_group else os.kill)(one.pid, signal.SIGKILL)
        await dead(made["machine"], made["copy"], made["keeper"])
    assert "the owner is gone: " in (tmp_path / "keeper.log").read_text()


async def test_a_stopped_owner_loses_its_machine_and_can_go_on(tmp_path: Path) -> None:
    goes_on = """
    keeper.beat(0.5)
    say(beats=True)
    say(code=await machine.wait(), stops=keeper.stops)
    keeper.beat(600)
    import fcntl, termios
    while fcntl.ioctl(keeper._pipe, termios.FIONREAD, bytes(4)) != bytes(4):
        await asyncio.sleep(0.01)  # until it has heard that, it may be looking for programs
    again = await process.start(["sleep", "602"], log=folder / "log", env=marks.marked(token))
    say(pid=again.pid, keeper=keeper.pid, stops=keeper.stops)
    await asyncio.sleep(600)
    """
    async with owner(MACHINE + goes_on.replace("\n    ", "\n"), tmp_path) as one:
        made = await one.says()
        assert await one.says() == {"beats": True}
        os.kill(one.pid, signal.SIGSTOP)
        await dead(made["machine"], made["copy"])
        assert is_alive(made["keeper"])
        os.kill(one.pid, signal.SIGCONT)
        assert await one.says() == {"code": -9, "stops": 1}
        again = await one.says()
        assert (again["keeper"], again["stops"]) == (made["keeper"], 1)
        assert is_alive(again["pid"])


async def test_nothing_that_goes_on_is_killed_when_a_keeper_is_done(tmp_path: Path) -> None:
    log = tmp_path / "log"
    others = await process.start(["sleep", "603"], log=log)
    try:
        async with Keeper.started(Events(), log=tmp_path / "keeper.log") as keeper:
            keeper.claimed(ResourceKind.PROCESS, "ended-token")
            keeper.released(ResourceKind.PROCESS, "ended-token")
            keeper.claimed(ResourceKind.PROCESS, "left-token")
            keeper.claimed(ResourceKind.PATH, tmp_path.name)
            gone = await process.start(["sleep", "604"], log=log, env=marks.marked("ended-token"))
            left = await process.start(["sleep", "605"], log=log, env=marks.marked("left-token"))
        assert await left.wait() == -9
        assert not is_alive(keeper.pid)
        assert others.returncode is gone.returncode is None
        await gone.end()
    finally:
        await others.end()


async def test_a_keeper_ends_only_with_its_owner_but_when_killed_another_takes_its_place(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    warned = asyncio.Event()

    def hear(event: object) -> None:
        if isinstance(event, Notice):
            said.append(event.message)
            warned.set()

    async with Keeper.started(Events(hear), log=tmp_path / "keeper.log") as keeper:
        first = keeper.pid
        keeper.claimed(ResourceKind.PROCESS, "kept-token")
        machine = await process.start(["sleep", "606"], log=tmp_path / "log", env=marks.marked("kept-token"))
        await ignores_signals(first)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(10):
            await warned.wait()
            while keeper.pid == first:
                await asyncio.sleep(0.01)
        assert "ended with exit code -9; another is started" in said[0]
        keeper.beat(0.2)
        async with asyncio.timeout(10):
            assert await machine.wait() == -9


async def ignores_signals(pid: int) -> None:
    """See that a keeper, once it is up, outlives the signals that end a group."""
    mask = 1 << signal.SIGTERM - 1
    async with asyncio.timeout(10):
        while not int(status_of(pid, "SigIgn"), 16) & mask:
            await asyncio.sleep(0.01)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert is_alive(pid)
    assert os.getsid(pid) == pid != os.getsid(0)


def status_of(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_keeper_that_does_not_listen_is_replaced(tmp_path: Path) -> None:
    async with Keeper.started(Events(), log=tmp_path / "keeper.log") as keeper:
        first = keeper.pid
        os.kill(first, signal.SIGSTOP)
        async with asyncio.timeout(30):
            while keeper.pid == first:
                await asyncio.to_thread(keeper.beat, 600)
        assert is_alive(keeper.pid)


async def test_a_keeper_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [ProcessError("no python"), BlockingIOError("no process"), RuntimeError("no thread")]
    left, said = list(faults), list[str]()
    start = process.start

    async def fails_at_first(argv: list[str], *, log: Path, stdin: int) -> process.Running:
        if left:
            raise left.pop(0)
        return await start(argv, log=log, stdin=stdin)

    monkeypatch.setattr(keeping, "PAUSES", (0.0,))
    events = Events(lambda event: said.append(event.message) if isinstance(event, Notice) else None)
    async with Keeper.started(events, log=tmp_path / "keeper.log") as keeper:
        keeper.claimed(ResourceKind.PROCESS, "kept-token")
        machine = await start(["sleep", "607"], log=tmp_path / "log", env=marks.marked("kept-token"))
        monkeypatch.setattr(process, "start", fails_at_first)
        first = keeper.pid
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(10):
            while keeper.pid == first:
                await asyncio.sleep(0.01)
        keeper.beat(0.2)
        async with asyncio.timeout(10):
            assert await machine.wait() == -9
    assert all(
        text.endswith(f"cannot be started, and is tried again: {fault}")
        for fault, text in zip(faults, said[1:], strict=True)
    )


async def test_a_lease_ends_while_the_host_sleeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept, waits, killed = [0.0], asyncio.Event(), asyncio.Event()
    read, listen, loop = time.clock_gettime, select.select, asyncio.get_running_loop()

    def listens(pipes: list[int], _: list[int], __: list[int], patience: float | None) -> object:
        if patience is not None:
            loop.call_soon_threadsafe(waits.set)
        return listen(pipes, [], [], patience)

    def kills(_charge: Charge, _why: str) -> int:
        loop.call_soon_threadsafe(killed.set)
        return 0

    monkeypatch.setattr(time, "clock_gettime", lambda clock: read(clock) + slept[0])
    monkeypatch.setattr(select, "select", listens)
    monkeypatch.setattr(Charge, "kill", kills)
    owner = Keeper(Events(), tmp_path / "keeper.log")
    theirs, owner._pipe = os.pipe()
    watching = asyncio.create_task(asyncio.to_thread(keeper.watch, theirs))
    try:
        owner.beat(600)
        await waits.wait()
        assert owner.stops == 0
        slept[0] = 601.0
        assert owner.stops == 1
        await asyncio.wait_for(killed.wait(), 20)
    finally:
        owner._hang_up()
        await watching
        os.close(theirs)


async def test_a_host_that_cannot_start_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    open_before = open_files()
    with pytest.raises(ProcessError, match="is not installed"):
        async with Keeper.started(Events(), log=tmp_path / "keeper.log"):
            pass
    assert open_files() == open_before


async def test_it_is_small() -> None:
    heavy = {"asyncio", "sqlalchemy", "pydantic", "logging", "subprocess"}
    code = "import sys, vmwright.workers.keeper; print(*sys.modules)"
    asked = await process.run([sys.executable, "-c", code], timeout=30)
    assert not heavy & set(asked.text.split())
