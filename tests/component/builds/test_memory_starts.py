"""A build's machine that goes on from a memory snapshot instead of booting, and when it has to boot."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.component.builds.conftest import MakeBuild, shell
from tests.scripted import Recorder, ScriptedTransport
from tests.unit.machines.test_snapshot_keys import KEY
from vmwright.builds import memory_start, workshop
from vmwright.builds.build import Build
from vmwright.builds.deprovisioning import DEFAULT, SCRIPT
from vmwright.builds.layers import Layers
from vmwright.builds.step_cache import StepCache
from vmwright.builds.workshop import Workshop
from vmwright.disks.qemu_img import info
from vmwright.errors import MachineError, MachineLostError, SnapshotError
from vmwright.events import Events, Level, Notice
from vmwright.guests.linux import LinuxGuest
from vmwright.machines.machine import MachineSpec
from vmwright.machines.qemu import QemuMachine
from vmwright.machines.snapshot import MEMORY, Snapshot
from vmwright.machines.snapshot_key import SnapshotKey
from vmwright.settings import SnapshotSettings
from vmwright.sources.base_disk import BaseDisk
from vmwright.state.database import Database
from vmwright.state.resources import Ledger
from vmwright.state.tables import LayerRow, ResourceRow
from vmwright.template.model import Generation

SPEC = MachineSpec(name="vm", folder=Path("/"), cpus=1, memory_mib=1024, generation=Generation.V1)


@dataclass
class Told:
    """What the machines of a test did; ``fails`` raises in the start or the saving of one kind."""

    lines: list[str] = field(default_factory=list)
    fails: dict[str, list[Exception]] = field(default_factory=dict)
    guests: dict[str, LinuxGuest] = field(default_factory=dict)

    def __call__(self, what: str) -> None:
        self.lines.append(what)
        if reasons := self.fails.get(what):
            raise reasons.pop(0)


class Scripted(QemuMachine):
    """A virtual machine of which nothing is made on the host."""

    what = "boot"
    told: Told

    async def start(self, disk: Path) -> LinuxGuest:
        below = (await info(disk)).backing
        self.told(self.what)
        self.told.lines.append(f"on {below.name if below else ''}")
        self.told.guests[self.what] = LinuxGuest(ScriptedTransport(), "packer")
        return self.told.guests[self.what]

    async def destroy(self) -> None:
        self.told(f"{self.what} destroyed")


class Saved(Scripted):
    what = "boot to save"

    async def save(self, memory: int) -> int:
        self.told("save")
        os.write(memory, b"memory")
        return 7


class Restored(Scripted):
    what = "restore"

    def __init__(self, spec: MachineSpec, ledger: Ledger, events: Events, *, snapshot: Snapshot) -> None:
        super().__init__(spec, ledger, events)
        self.snapshot = snapshot

    async def start(self, disk: Path) -> LinuxGuest:
        try:
            await self.snapshot.require_undamaged()
        except MachineError as error:
            raise SnapshotError(error.message) from error
        return await super().start(disk)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()

    async def machine_for(build: Build, _base: BaseDisk, *, role: str = "") -> QemuMachine:
        return Scripted(SPEC, build.ledger, build.events)

    async def key_of(_spec: MachineSpec, *, source: str, disk_bytes: int) -> SnapshotKey:
        return dataclasses.replace(KEY, source=source, disk_bytes=disk_bytes)

    monkeypatch.setattr(Scripted, "told", told, raising=False)
    monkeypatch.setattr(workshop, "machine_for", machine_for)
    monkeypatch.setattr(memory_start, "key_of", key_of)
    monkeypatch.setattr(memory_start, "SavedMachine", Saved)
    monkeypatch.setattr(memory_start, "RestoredMachine", Restored)
    return told


async def opened(build: Build, base: BaseDisk) -> Workshop:
    layers = Layers(build, base, StepCache(build))
    await layers.restore()
    shop = Workshop(build, base, layers, starts=asyncio.Event())
    await shop.open()
    return shop


async def ended(shop: Workshop) -> None:
    await shop.close()
    await shop.layers.take_back()


def owned(database: Database) -> list[str]:
    with database.session() as session:
        return [row.identity for row in session.query(ResourceRow)]


def warnings(recorder: Recorder) -> list[str]:
    return [each.message for each in recorder.of(Notice) if each.level is Level.WARNING]


async def test_the_first_makes_one_and_all_go_on_from_it(
    make_build: MakeBuild, base: BaseDisk, told: Told, database: Database
) -> None:
    build = make_build(shell(1))
    shop = await opened(build, base)
    assert told.lines[:5] == ["boot to save", "on base.qcow2", "save", "boot to save destroyed", "restore"]
    layer = shop.layers.newest
    assert layer is not None
    assert (layer.step, layer.deprovisioning, told.lines[5]) == (0, DEFAULT, f"on {layer.path.name}")
    assert len(owned(database)) == 1  # the top
    await ended(shop)
    assert owned(database) == []
    assert not layer.path.exists()

    told.lines.clear()
    second = await opened(build, base)
    assert told.lines[0] == "restore"
    assert second.layers.newest is not None
    assert second.layers.newest.path != layer.path
    await ended(second)


async def test_the_deprovisioning_script_is_in_the_memory(
    make_build: MakeBuild, base: BaseDisk, told: Told
) -> None:
    shop = await opened(make_build(shell(1)), base)
    assert (await told.guests["boot to save"].ask("cat", SCRIPT)).stdout == DEFAULT
    assert shop.deprovisioning == DEFAULT
    await ended(shop)


async def test_a_damaged_one_is_said_removed_and_made_anew(
    make_build: MakeBuild, base: BaseDisk, told: Told, recorder: Recorder, database: Database
) -> None:
    build = make_build(shell(1))
    await ended(await opened(build, base))
    (memory,) = (build.settings.home / "snapshots").glob(f"*/{MEMORY}")
    memory.write_bytes(b"MEMORY")
    told.lines.clear()
    shop = await opened(build, base)
    assert [line for line in told.lines if not line.startswith("on ")] == [
        *("restore destroyed", "boot to save", "save", "boot to save destroyed", "restore")
    ]
    assert warnings(recorder) == [
        "The memory snapshot of the machine is of no use and is removed: memory is damaged"
    ]
    assert len(shop.layers._committed) == 1
    await ended(shop)
    assert owned(database) == []


async def test_one_whose_base_is_gone_is_made_anew(
    make_build: MakeBuild, base: BaseDisk, told: Told, recorder: Recorder
) -> None:
    build = make_build(shell(1))
    await ended(await opened(build, base))
    moved = dataclasses.replace(base, path=base.path.rename(base.path.with_name("moved.qcow2")))
    told.lines.clear()
    await ended(await opened(build, moved))
    assert told.lines[:2] == ["boot to save", "on moved.qcow2"]
    assert "is gone" in warnings(recorder)[0]


async def test_where_none_can_be_made_the_machine_boots(
    make_build: MakeBuild, base: BaseDisk, told: Told, recorder: Recorder, database: Database
) -> None:
    build = make_build(shell(1))
    told.fails["save"] = [SnapshotError("no room")]
    shop = await opened(build, base)
    assert told.lines[-4:] == ["save", "boot to save destroyed", "boot", "on base.qcow2"]
    assert warnings(recorder) == ["No memory snapshot of the machine could be made: no room"]
    assert shop.layers.newest is None
    await ended(shop)
    assert [path.suffix for path in (build.settings.home / "snapshots").iterdir()] == [".refused"]
    assert owned(database) == []


async def test_one_from_which_nothing_goes_on_is_not_tried_again(
    make_build: MakeBuild, base: BaseDisk, told: Told, recorder: Recorder
) -> None:
    told.fails["restore"] = [SnapshotError("QEMU ended")]
    build = make_build(shell(1))
    shop = await opened(build, base)
    assert told.lines[-2:] == ["boot", "on base.qcow2"]
    assert told.lines.count("restore") == 1
    assert len(warnings(recorder)) == 1
    await ended(shop)

    told.lines.clear()
    await ended(await opened(build, base))
    assert told.lines[0] == "boot"
    assert "QEMU ended" in recorder.of(Notice)[-1].message
    (refused,) = (build.settings.home / "snapshots").iterdir()
    os.utime(refused, (1, 1))
    told.lines.clear()
    await ended(await opened(build, base))
    assert told.lines[0] == "boot to save"


async def test_a_guest_that_does_not_boot_fails_the_build(
    make_build: MakeBuild, base: BaseDisk, told: Told, database: Database
) -> None:
    told.fails["boot to save"] = [MachineError("The guest could not be reached")]
    with pytest.raises(MachineError, match="could not be reached"):
        await opened(make_build(shell(1)), base)
    assert told.lines == ["boot to save", "boot to save destroyed"]
    assert owned(database) == []


async def test_a_machine_that_is_killed_says_nothing_of_the_snapshot(
    make_build: MakeBuild, base: BaseDisk, told: Told
) -> None:
    build = make_build(shell(1))
    await ended(await opened(build, base))
    told.fails["restore"] = [MachineLostError("QEMU was killed by signal 9")]
    layers = Layers(build, base, StepCache(build))
    shop = Workshop(build, base, layers, starts=asyncio.Event())
    with pytest.raises(MachineLostError):
        await shop.open()
    await shop.close()
    told.lines.clear()
    await shop.open()
    assert [line for line in told.lines if not line.startswith("on ")] == ["restore"]
    await ended(shop)


async def test_after_a_step_the_machine_boots_on_its_layer(
    make_build: MakeBuild, base: BaseDisk, told: Told, database: Database
) -> None:
    build = make_build(shell(1), shell(2))
    shop = await opened(build, base)
    await shop.layers.seal(step=1)
    await shop.close()
    told.lines.clear()
    again = await opened(build, base)
    assert told.lines[0] == "boot"
    with database.session() as session:
        assert [row.step for row in session.query(LayerRow).order_by(LayerRow.number)] == [0, 1]
    await again.close()
    await again.layers.drop_top()


async def test_they_can_be_switched_off(make_build: MakeBuild, base: BaseDisk, told: Told) -> None:
    build = make_build(shell(1))
    settings = build.settings.model_copy(update={"snapshots": SnapshotSettings(enabled=False)})
    shop = await opened(dataclasses.replace(build, settings=settings), base)
    assert told.lines == ["boot", "on base.qcow2"]
    assert not (build.settings.home / "snapshots").exists()
    await ended(shop)
