"""Containers whose programs on the host are killed under a step, told apart from what the guest does."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.host_traces import traces
from vmwright import process
from vmwright.errors import MachineError, MachineLostError
from vmwright.events import Events
from vmwright.machines.container import ContainerMachine
from vmwright.machines.machine import MachineSpec
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from vmwright.guests.linux import LinuxGuest
    from vmwright.state.database import Database

pytestmark = pytest.mark.machine

DESTROY_SECONDS = 3.0
# it reads the disk when it is through: what is not in memory yet cannot be had from a dead storage daemon
STEP = "sleep 2; cat /usr/bin/* /usr/lib/x86_64-linux-gnu/* > /dev/null"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


@pytest.fixture
async def disk(debian_disk: Path, tmp_path: Path) -> Path:
    disk = tmp_path / "layer0.qcow2"
    await process.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", debian_disk, disk], timeout=30
    )
    return disk


@pytest.fixture
async def machine(disk: Path, database: Database) -> AsyncIterator[ContainerMachine]:
    spec = MachineSpec(
        name=f"vwlost-{os.getpid()}", folder=disk.parent, cpus=2, memory_mib=1024, generation=Generation.V1
    )
    machine = ContainerMachine(spec, Ledger(database), Events())
    yield machine
    await machine.destroy()


def pid_of(machine: ContainerMachine, program: str) -> int:
    if program == "init":
        assert machine._life
        return machine._life._leader.result()
    return next(running.pid for name, running in machine._programs() if name == program)


async def step(guest: LinuxGuest, command: str) -> int | None:
    return await guest.run(command, as_root=True, sink=lambda *_: None)


async def destroyed(machine: ContainerMachine, database: Database, folder: Path) -> None:
    async with asyncio.timeout(DESTROY_SECONDS):
        await machine.destroy()
    assert traces(folder) == set()
    with database.session() as session:
        assert session.query(ResourceRow).all() == []


def loop_over(file: Path) -> Path:
    """The place in /sys of the loop device over a file."""
    everything = Path("/sys/block").glob("loop*/loop/backing_file")
    return next(backing for backing in everything if backing.read_text().strip() == str(file))


def backed(backing: Path) -> str:
    """The file behind a loop device: "/" where that is unmounted, "" where there is no device any more."""
    try:
        return backing.read_text().strip()
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("program", "number"),
    [
        ("systemd-nspawn", signal.SIGKILL),
        ("systemd-nspawn", signal.SIGTERM),
        ("init", signal.SIGKILL),
        ("qemu-storage-daemon", signal.SIGKILL),
        ("qemu-storage-daemon", signal.SIGTERM),
        ("pasta", signal.SIGKILL),
    ],
)
async def test_a_killed_program_of_the_host_is_a_loss(
    machine: ContainerMachine, disk: Path, database: Database, program: str, number: int
) -> None:
    guest = await machine.start(disk)
    assert await step(guest, "true") == 0
    assert await machine.lost() is None
    running = asyncio.ensure_future(step(guest, STEP))
    while (await guest.ask("pgrep", "-x", "sleep", check=False)).exit_code != 0:
        await asyncio.sleep(0.02)
    loop = loop_over(disk.parent / "container/disk.raw")
    os.kill(pid_of(machine, program), number)
    if program in {"init", "qemu-storage-daemon"}:
        assert await running != 0
    else:
        running.cancel()
    with pytest.raises(MachineLostError, match=program):
        await machine.settle(timeout=30)
    error = await machine.lost()
    assert isinstance(error, MachineLostError)
    assert program in error.message
    for work in (
        machine.checkpoint(disk.parent / "next.qcow2"),
        machine.power_off(),
    ):
        with pytest.raises(MachineLostError, match=program):
            await work
    await destroyed(machine, database, disk.parent)
    assert str(await machine.lost()) == str(error)
    assert not (disk.parent / "next.qcow2").exists()
    assert backed(loop) != "/"


async def test_what_the_guest_does_is_no_loss(
    machine: ContainerMachine, disk: Path, database: Database
) -> None:
    guest = await machine.start(disk)
    assert await step(guest, "sh -c 'kill -9 $$'; exit $?") == 137
    assert await machine.lost() is None
    assert await step(guest, "kill -9 1; sleep 0.2; true") == 0  # nobody can, from inside
    assert await step(guest, "sudo reboot; sleep 60") is None
    assert await machine.settle(timeout=60)
    assert await machine.lost() is None
    assert (
        await step(
            guest, "echo Container x terminated by signal KILL. > /dev/console; sudo poweroff -f; sleep 60"
        )
        is None
    )
    with pytest.raises(MachineError, match="switched off by a step") as caught:
        await machine.settle(timeout=60)
    assert not isinstance(caught.value, MachineLostError)
    await destroyed(machine, database, disk.parent)
    assert await machine.lost() is None
