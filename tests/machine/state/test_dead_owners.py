"""Owners of machines that are killed or stopped: the keeper ends the machines, the reaper does the rest."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.host_traces import traces
from tests.owners import dead, owner
from vmwright.events import Events
from vmwright.machines.cgroup_trees import folders_of, members
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import abandoned
from vmwright.workers.reaper import clear_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmwright.state.database import Database

pytestmark = pytest.mark.machine

PROGRAMS_SECONDS = 5.0
NAME = f"vwowner-{os.getpid()}"
# A container with its disk, a virtual machine that does nothing, and a program that runs for a moment.
MACHINES = """
from tests.host_traces import seen
from vmwright.machines.container import ContainerMachine
from vmwright.machines.machine import MachineSpec
from vmwright.template.model import Generation

def container():
    work = folder / "build"
    spec = MachineSpec(name=NAME, folder=work, cpus=2, memory_mib=1024, generation=Generation.V1)
    return ContainerMachine(spec, ledger, events)

async def overlay(path):
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", os.environ["DISK"], path]
    await process.run(argv, timeout=30)
    return path

ledger.claim(ResourceKind.PATH, folder / "build")
(folder / "build").mkdir()
token = f"vm-{os.getpid()}"
ledger.claim(ResourceKind.PROCESS, token)
idle = ["-machine", "none", "-nodefaults", "-display", "none", "-name", str(folder)]
vm = await process.start(["qemu-system-x86_64", *idle], log=folder / "log", env=marks.marked(token))
machine = container()
guest = await machine.start(await overlay(folder / "build/layer0.qcow2"))
step = asyncio.create_task(guest.run("sleep 777", sink=lambda *_: None))
copy = asyncio.create_task(process.run(["tail", "-f", folder / "log"], timeout=600))
while (await guest.ask("pgrep", "-f", "sleep 777", check=False)).exit_code != 0:
    await asyncio.sleep(0.05)
FREEZE
say(keeper=keeper.pid, vm=vm.pid)
"""
FREEZE = "await process.run(['fsfreeze', '--freeze', seen(folder / 'build/container/root')], timeout=10)"
WAIT = "await asyncio.sleep(600)\n"
GO_ON = """
keeper.beat(1.0)
say(beat=True)
code = await vm.wait()
lost = await machine.lost()
await step
await machine.destroy()
keeper.beat(600)
machine = container()
guest = await machine.start(await overlay(folder / "build/layer1.qcow2"))
ended = await guest.ask("echo", "again")
say(code=code, lost=str(lost), again=ended.stdout.decode())
await machine.destroy()
say(done=True)
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


def body(*parts: str, frozen: bool = False) -> str:
    return "".join(parts).replace("FREEZE", FREEZE if frozen else "").replace("NAME", repr(NAME))


def programs(folder: Path) -> set[str]:
    """What still runs: programs that name the folder, and those in the container."""
    inside = {f"inside {pid}" for pid in members(folders_of(NAME))}
    return {trace for trace in traces(folder) if trace.startswith("process")} | inside


async def ended(folder: Path) -> None:
    async with asyncio.timeout(PROGRAMS_SECONDS):
        while programs(folder):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("frozen", [False, True], ids=["running", "frozen"])
@pytest.mark.parametrize("whole_group", [False, True], ids=["owner", "group"])
async def test_nothing_stays_of_a_killed_owner(
    debian_disk: Path, tmp_path: Path, database: Database, *, whole_group: bool, frozen: bool
) -> None:
    environment = {"DISK": str(debian_disk)}
    async with owner(body(MACHINES, WAIT, frozen=frozen), tmp_path, environment=environment) as one:
        made = await one.says()
        assert len(programs(tmp_path)) > 8
        (os.killpg if whole_group else os.kill)(one.pid, signal.SIGKILL)
        await one.process.wait()
    await dead(made["vm"], made["keeper"])
    await ended(tmp_path)
    await clear_up(database, Events())
    assert traces(tmp_path) == set()
    assert folders_of(NAME) == []
    assert not (tmp_path / "build").exists()
    assert abandoned(database) == []


async def test_a_reaper_alone_clears_up_where_the_keeper_died_first(
    debian_disk: Path, tmp_path: Path, database: Database
) -> None:
    async with owner(body(MACHINES, WAIT), tmp_path, environment={"DISK": str(debian_disk)}) as one:
        made = await one.says()
        os.kill(one.pid, signal.SIGSTOP)  # or it would start another keeper
        os.kill(made["keeper"], signal.SIGKILL)
        os.kill(one.pid, signal.SIGKILL)
        await one.process.wait()
    assert len(programs(tmp_path)) > 8
    said: list[object] = []
    await clear_up(database, Events(said.append))
    assert len(said) == 1, said
    assert programs(tmp_path) == traces(tmp_path) == set()
    assert folders_of(NAME) == []
    assert abandoned(database) == []


async def test_a_stopped_owner_loses_its_machines_and_makes_new_ones(
    debian_disk: Path, tmp_path: Path, database: Database
) -> None:
    async with owner(body(MACHINES, GO_ON), tmp_path, environment={"DISK": str(debian_disk)}) as one:
        await one.says()
        assert await one.says() == {"beat": True}
        os.kill(one.pid, signal.SIGSTOP)
        async with asyncio.timeout(PROGRAMS_SECONDS):
            while any("python" not in program for program in programs(tmp_path)):
                await asyncio.sleep(0.02)
        os.kill(one.pid, signal.SIGCONT)
        woken = await one.says()
        assert woken["code"] == -signal.SIGKILL
        assert "The machine was lost" in woken["lost"]
        assert woken["again"] == "again\n"
        assert await one.says() == {"done": True}
    await clear_up(database, Events())
    assert traces(tmp_path) == set()
