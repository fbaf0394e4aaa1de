"""One boot, and two machines that go on from its memory: neither knows of the other."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from vmwright.disks.qemu_img import DiskFormat, create_overlay
from vmwright.errors import MachineError, SnapshotError
from vmwright.events import Events
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.ssh import SshTransport
from vmwright.machines.machine import MachineSpec
from vmwright.machines.qemu_snapshot import RestoredMachine, SavedMachine
from vmwright.machines.snapshot import Snapshot
from vmwright.machines.snapshot_key import key_of
from vmwright.machines.snapshots import Snapshots
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow
from vmwright.template.model import Generation

pytestmark = [pytest.mark.machine, pytest.mark.emulated, pytest.mark.slow]

DAY = 24 * 3600
TIMERS = "systemctl list-units --type=timer --state=active --plain --no-legend | cut -d' ' -f1"
HOST_KEYS = "cat /etc/ssh/ssh_host_*_key.pub"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


async def text(guest: LinuxGuest, command: str) -> str:
    return (await guest.ask("sh", "-c", command, as_root=True)).stdout.decode().strip()


def owned(database: Database) -> list[str]:
    with database.session() as session:
        return [row.identity for row in session.query(ResourceRow)]


@dataclasses.dataclass
class Seen:
    """What a guest is known by, each by its name."""

    machine_id: str
    host_keys: set[str]
    random: str
    name: str


async def seen(guest: LinuxGuest) -> Seen:
    return Seen(
        await text(guest, "cat /etc/machine-id"),
        set((await text(guest, HOST_KEYS)).splitlines()),
        await text(guest, "head -c 16 /dev/urandom | od -x"),
        await text(guest, "hostname"),
    )


async def made(folder: Path, base: Path, database: Database) -> tuple[Snapshot, Seen, str]:
    """Boot a machine whose clock is a day late, and save it."""
    ledger = Ledger(database)
    spec = spec_in(folder, "saved")
    snapshots = Snapshots(folder / "home", ledger)
    key = await key_of(spec, source="test", disk_bytes=0)
    with snapshots.making(key) as making:
        await create_overlay(making.disk, backing=base, backing_format=DiskFormat.QCOW2)
        machine = SavedMachine(spec, ledger, Events())
        try:
            guest = await machine.start(making.disk)
            before, timers = await seen(guest), await text(guest, TIMERS)
            await text(guest, f"date -s @{time.time() - DAY:.0f}")
            session = await machine.save(making.memory)
        finally:
            await machine.destroy()
        assert await making.finish(machine.identity, base=base, description="a test", session=session)
    with snapshots.found(key) as snapshot:
        assert snapshot is not None
        return snapshot, before, timers


def spec_in(folder: Path, name: str) -> MachineSpec:
    return MachineSpec(name=name, folder=folder, cpus=2, memory_mib=2048, generation=Generation.V1)


@contextlib.asynccontextmanager
async def restored(
    name: str, snapshot: Snapshot, folder: Path, database: Database
) -> AsyncIterator[tuple[RestoredMachine, LinuxGuest]]:
    disk = folder / f"{name}.qcow2"
    await create_overlay(disk, backing=snapshot.disk, backing_format=DiskFormat.QCOW2)
    machine = RestoredMachine(spec_in(folder, name), Ledger(database), Events(), snapshot=snapshot)
    try:
        yield machine, await machine.start(disk)
    finally:
        await machine.destroy()


async def opens_by_new_keys_alone(machine: RestoredMachine, guest: LinuxGuest) -> None:
    transport = machine._running_transport()
    await transport.close()
    assert await text(guest, "id -u") == "0"
    old, known = machine.identity.access, transport.address
    for address in (
        dataclasses.replace(known, client_key=old.client_key),
        dataclasses.replace(known, host_key=old.host_key),
    ):
        stranger = SshTransport(address, lost=lambda: None)
        with pytest.raises(MachineError, match="could not be reached"):
            await stranger.connect(timeout=10)


@pytest.mark.timeout(2400)
async def test_those_who_go_on_from_one_memory_are_machines_of_their_own(
    tmp_path: Path, debian_disk: Path, database: Database
) -> None:
    snapshot, before, timers = await made(tmp_path, debian_disk, database)
    assert owned(database) == []

    async with restored("one", snapshot, tmp_path, database) as (machine, guest):
        await text(guest, "echo one > /home/packer/first; sync")
        one = await seen(guest)
        assert abs(int(await text(guest, "date +%s")) - time.time()) < DAY / 24
        assert await text(guest, TIMERS) == timers
        assert await text(guest, "systemctl is-active 'apt-daily*.service' | grep -vx inactive; true") == ""
        await opens_by_new_keys_alone(machine, guest)
        assert not await machine.settle(timeout=60)

    async with restored("two", snapshot, tmp_path, database) as (machine, guest):
        assert await text(guest, "ls /home/packer") == ""
        two = await seen(guest)
        assert (one.name, two.name) == ("one", "two")
        assert len({each.machine_id for each in (before, one, two)}) == 3
        assert len({each.random for each in (before, one, two)}) == 3
        assert len(one.host_keys | two.host_keys) == 2 * len(one.host_keys)
        assert before.host_keys.isdisjoint(one.host_keys | two.host_keys)
        assert await guest.run("systemctl reboot", as_root=True, sink=lambda *_: None) in {0, None, 143}
        assert await machine.settle(timeout=900)
        after = await seen(guest)
        assert (after.machine_id, after.host_keys, after.name) == (two.machine_id, two.host_keys, "two")
        await machine.power_off()

    await snapshot.require_undamaged()
    with snapshot.memory.open("r+b") as memory:
        memory.truncate(100 << 20)
    with pytest.raises(SnapshotError, match="QEMU"):
        async with restored("three", snapshot, tmp_path, database):
            pass
    assert owned(database) == []
