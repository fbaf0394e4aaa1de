"""Saving and restoring the memory of a machine: a real QEMU, whose guest never runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vmwright import process
from vmwright.errors import MachineError
from vmwright.events import Events
from vmwright.machines.machine import MachineSpec
from vmwright.machines.monitor import Monitor
from vmwright.machines.qemu import QemuMachine
from vmwright.machines.qemu_arguments import MACHINE, PROGRAM, SANDBOX
from vmwright.machines.snapshot_key import qemu_version
from vmwright.process import Running
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.template.model import Generation

SMALL = ("-nodefaults", "-display", "none", "-m", "64M", "-accel", "tcg", "-sandbox", SANDBOX)


@contextlib.asynccontextmanager
async def qemu(folder: Path, *more: str) -> AsyncIterator[tuple[Monitor, Running]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        control = ("-chardev", f"socket,id=c,fd={theirs.fileno()}", "-mon", "chardev=c,mode=control")
        running = await process.start(
            [PROGRAM, "-machine", MACHINE, *SMALL, *control, *more],
            log=folder / "qemu.log",
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        monitor = Monitor("test", on_reset=lambda: None)
        await monitor.connect(ours.dup())
    try:
        yield monitor, running
    finally:
        await monitor.close()
        await running.end()


async def write(folder: Path) -> Path:
    file = folder / "memory"
    async with qemu(folder, "-S") as (monitor, running):
        assert await monitor.reasons_against_moving() == ()
        with file.open("xb") as memory:
            await monitor.write_memory(memory.fileno())
        await monitor.quit()
        assert await running.wait() == 0
    return file


@contextlib.asynccontextmanager
async def waiting(folder: Path) -> AsyncIterator[tuple[Monitor, QemuMachine]]:
    """A machine that waits for its memory."""
    database = open_database(Settings(home=folder / "home"))
    spec = MachineSpec(name="vm", folder=folder, cpus=1, memory_mib=64, generation=Generation.V1)
    machine = QemuMachine(spec, Ledger(database), Events())
    async with qemu(folder, "-incoming", "defer") as (monitor, running):
        machine._qemu = running
        yield monitor, machine
    database.close()


async def test_memory_that_was_written_is_read_by_another(tmp_path: Path) -> None:
    file = await write(tmp_path)
    # zeros are not kept
    assert file.stat().st_size < 8 << 20
    async with waiting(tmp_path) as (monitor, machine):
        with file.open("rb") as memory:
            await machine.unless_ended(monitor.read_memory(memory.fileno()), within=60)
        await monitor.go_on()


@pytest.mark.parametrize("size", [0, 1000, 100_000])
async def test_what_qemu_cannot_go_on_from_is_an_error_at_once(tmp_path: Path, size: int) -> None:
    file = await write(tmp_path)
    with file.open("r+b") as whole:
        whole.truncate(size)
    async with waiting(tmp_path) as (monitor, machine):
        with file.open("rb") as memory, pytest.raises(MachineError):
            await machine.unless_ended(monitor.read_memory(memory.fileno()), within=60)


async def test_the_end_of_qemu_ends_the_waiting(tmp_path: Path) -> None:
    pipe, end = os.pipe()
    async with waiting(tmp_path) as (monitor, machine):
        reading = asyncio.ensure_future(machine.unless_ended(monitor.read_memory(pipe), within=60))
        await asyncio.sleep(0)
        machine._running_qemu()._process.kill()
        with pytest.raises(MachineError, match="QEMU"):
            await reading
    os.close(pipe)
    os.close(end)


async def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    pipe, end = os.pipe()
    async with waiting(tmp_path) as (monitor, machine):
        with pytest.raises(MachineError, match="QEMU was not done within"):
            await machine.unless_ended(monitor.read_memory(pipe), within=0.2)
    os.close(pipe)
    os.close(end)


async def test_qemu_is_asked_what_it_is() -> None:
    found = await qemu_version()
    assert found.version[0].isdigit()
    assert found.machine.startswith("pc-q35-")
