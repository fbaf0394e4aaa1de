"""What a container leaves on the host: nothing, whenever and however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from tests.host_traces import seen, traces
from vmwright import process
from vmwright.disks.attach import AttachedRoot, detach
from vmwright.disks.mounts import unmount
from vmwright.disks.storage_daemon import StorageDaemon
from vmwright.events import Events
from vmwright.machines.container import ContainerMachine
from vmwright.machines.machine import MachineSpec
from vmwright.machines.nspawn import remove_container
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger, Owner, Resource, ResourceKind
from vmwright.state.tables import ResourceRow
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from vmwright.state.database import Database

pytestmark = pytest.mark.machine

NAME = f"vwgone-{os.getpid()}"
DESTROY_SECONDS = 5.0


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
    spec = MachineSpec(name=NAME, folder=disk.parent, cpus=2, memory_mib=1024, generation=Generation.V1)
    machine = ContainerMachine(spec, Ledger(database), Events())
    yield machine
    await machine.destroy()


def claims(database: Database) -> list[Resource]:
    with database.session() as session:
        rows = session.scalars(select(ResourceRow).order_by(ResourceRow.id.desc())).all()
    return [
        Resource(
            row.id,
            ResourceKind(row.kind),
            row.identity,
            row.build_id,
            Owner(row.owner_pid, row.owner_started, row.boot_id),
        )
        for row in rows
    ]


def leftovers(folder: Path, tokens: set[str]) -> list[str]:
    """Return what this host has of a container in ``folder`` whose processes carry one of ``tokens``."""
    # a container that starts beside this test may have a copy of its mounts, until their folders are removed
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found = [line for line in mounts if str(folder) in line]
    found += [trace for trace in traces(folder) if not trace.startswith(("process", "mount"))]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{NAME}")]
    found += [str(path) for path in Path("/run/systemd/nspawn").glob(f"*/{NAME}")]
    found += [f"process {pid}" for pid in carrying(tokens)]
    for cgroup in Path("/proc").glob("[0-9]*/cgroup"):
        with contextlib.suppress(OSError):
            ours = NAME in cgroup.read_text() and not is_dead(cgroup.parent)
            found += [str(cgroup)] if ours else []
    return found


def is_dead(process: Path) -> bool:
    """Whether a process of /proc is gone, or waits for its parent to take note."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # pasta dies with the program that it is tied to
        os.kill(pid, signal.SIGKILL)
    while not is_dead(Path("/proc", str(pid))):
        await asyncio.sleep(0.01)


def carrying(tokens: set[str]) -> list[int]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            variables = environ.read_bytes().decode(errors="replace").split("\0")
            if tokens & {value.removeprefix("VMWRIGHT_RESOURCE=") for value in variables}:
                found.append(int(environ.parent.name))
    return found


def tokens_of(database: Database) -> set[str]:
    return {claim.identity for claim in claims(database) if claim.kind is ResourceKind.PROCESS}


async def destroyed(machine: ContainerMachine, database: Database, folder: Path) -> None:
    tokens = tokens_of(database)
    async with asyncio.timeout(DESTROY_SECONDS):
        await machine.destroy()
    assert leftovers(folder, tokens) == []
    assert claims(database) == []
    await machine.destroy()


async def test_destroyed_while_it_runs(machine: ContainerMachine, disk: Path, database: Database) -> None:
    guest = await machine.start(disk)
    kinds = [claim.kind for claim in claims(database)]
    assert sorted(kinds) == ["cgroup", "loop", "mount", *["process"] * 4]
    assert leftovers(disk.parent, tokens_of(database)) != []
    step = asyncio.ensure_future(guest.run("sudo dd if=/dev/zero of=/opt/much bs=1M", sink=lambda *_: None))
    await asyncio.sleep(0.3)
    await destroyed(machine, database, disk.parent)
    assert await step is None


async def test_destroyed_while_its_disk_is_frozen(
    machine: ContainerMachine, disk: Path, database: Database
) -> None:
    guest = await machine.start(disk)
    await process.run(["fsfreeze", "--freeze", seen(disk.parent / "container/root")], timeout=10)
    step = asyncio.ensure_future(guest.run("touch ~/never; sleep 99", sink=lambda *_: None))
    await asyncio.sleep(0.3)
    await destroyed(machine, database, disk.parent)
    assert await step is None


async def test_nothing_stays_after_a_power_off(
    machine: ContainerMachine, disk: Path, database: Database
) -> None:
    await machine.start(disk)
    tokens = tokens_of(database)
    await machine.power_off()
    assert leftovers(disk.parent, tokens) == []
    await destroyed(machine, database, disk.parent)
    checked = await process.run(["qemu-img", "check", "-q", disk], timeout=30)
    assert checked.returncode == 0


@pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 0.5, 0.75])
async def test_destroyed_while_it_starts(
    machine: ContainerMachine, disk: Path, database: Database, share: float
) -> None:
    start = asyncio.ensure_future(machine.start(disk))
    await asyncio.sleep(share * 2)
    tokens = tokens_of(database)
    start.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await start
    await destroyed(machine, database, disk.parent)
    assert leftovers(disk.parent, tokens) == []


@pytest.mark.parametrize("frozen", [False, True], ids=["running", "frozen"])
async def test_a_crash_is_cleared_up_from_the_ledger_alone(
    disk: Path, database: Database, *, frozen: bool
) -> None:
    # Everything that is told to end dies with kill -9 instead, as with the whole service.
    spec = MachineSpec(name=NAME, folder=disk.parent, cpus=2, memory_mib=512, generation=Generation.V1)
    machine = ContainerMachine(spec, Ledger(database), Events())
    try:
        await machine.start(disk)
        if frozen:
            await process.run(["fsfreeze", "--freeze", seen(disk.parent / "container/root")], timeout=10)
        tokens = tokens_of(database)
        # the storage daemon, the namespace's holder, systemd-nspawn, pasta and what that is tied to
        assert len(carrying(tokens)) == 5
        for claim in claims(database):
            match claim.kind:
                case ResourceKind.PROCESS:
                    for pid in carrying({claim.identity}):
                        await kill(pid)
                case ResourceKind.CGROUP:
                    await remove_container(claim.identity)
                case ResourceKind.MOUNT:
                    await unmount(Path(claim.identity))
                case ResourceKind.LOOP:
                    await detach(Path(claim.identity))
        assert leftovers(disk.parent, tokens) == []
    finally:
        await machine.destroy()
    assert claims(database) == []


async def test_a_dead_storage_daemon_is_cleared_up(disk: Path, database: Database) -> None:
    raw, root = disk.with_suffix(".raw"), disk.parent / "root"
    ledger = Ledger(database)
    async with contextlib.AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(StorageDaemon(disk, raw, ledger))
        await stack.enter_async_context(AttachedRoot(raw, root, ledger))
        assert daemon.running
        for pid in {daemon.running.pid, *carrying(tokens_of(database))}:
            await kill(pid)
        for _ in range(2):
            await detach(raw)
            await unmount(raw)
    assert leftovers(disk.parent, set()) == []
    assert claims(database) == []
