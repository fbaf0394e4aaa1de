"""Starting a build's virtual machine from the memory of one that has booted before, instead of booting it.

The first build of a key boots a machine that is no build's, saves its memory, and goes on from that like all
that come after it. What is saved holds nothing of any build: neither steps nor keys, only the deprovisioning
script that all begin with.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vmwright.artifacts.duplicates import duplicate
from vmwright.builds.deprovisioning import DEFAULT, write_script
from vmwright.builds.layers import layer_files
from vmwright.disks.qemu_img import create_overlay
from vmwright.errors import ProcessError, SnapshotError
from vmwright.machines.qemu import QemuMachine
from vmwright.machines.qemu_snapshot import RestoredMachine, SavedMachine
from vmwright.machines.snapshot_key import key_of, obstacle
from vmwright.machines.snapshots import Snapshots
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmwright.builds.build import Build
    from vmwright.builds.layers import Layers
    from vmwright.machines.machine import Machine, MachineSpec
    from vmwright.machines.snapshot import Snapshot
    from vmwright.machines.snapshot_key import SnapshotKey
    from vmwright.sources.base_disk import BaseDisk

ROLE = "-snapshot"


class MemoryStart:
    """The start of one build's machine.

    :param start: starts a machine on a new top of the layers, which has the deprovisioning script; ``stop``:
        removes it again.
    """

    def __init__(
        self,
        build: Build,
        base: BaseDisk,
        layers: Layers,
        *,
        start: Callable[[Machine], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self._build = build
        self._base = base
        self._layers = layers
        self._start = start
        self._stop = stop
        self._snapshots = Snapshots(build.settings.home, build.ledger)
        self._fault = ""

    async def has_started(self, machine: Machine) -> bool:
        """Start the machine that this one would be from memory; False where it has to boot.

        :raises MachineError: it would not boot either.
        """
        if not isinstance(machine, QemuMachine) or self._layers.step > 0 or not self._is_wanted(machine.spec):
            return False
        await self._layers.take_back()
        key = await key_of(machine.spec, source=self._base.digest, disk_bytes=self._layers.size_bytes)
        if reason := self._snapshots.refusal(key):
            self._build.events.note(f"The machine boots, its memory snapshots were of no use: {reason}")
            return False
        if await self._is_used(key, machine.spec):
            return True
        if await self._is_made(key, machine.spec) and await self._is_used(key, machine.spec):
            return True
        self._snapshots.refuse(key, self._fault)
        return False

    def _is_wanted(self, spec: MachineSpec) -> bool:
        if not self._build.settings.snapshots.enabled:
            return False
        if reason := obstacle(spec):
            self._build.events.note(f"The machine boots, no memory snapshot is used: {reason}")
        return reason is None

    async def _is_used(self, key: SnapshotKey, spec: MachineSpec) -> bool:
        """Go on from the snapshot of a key; one that cannot be used is removed."""
        with self._snapshots.found(key) as snapshot:
            if snapshot is None:
                return False
            fault = snapshot.fault_at_sight(self._base.path) or await self._fault_of(snapshot, spec)
        if fault is None:
            return True
        self._fault = fault
        self._build.events.warn(f"The memory snapshot of the machine is of no use and is removed: {fault}")
        self._snapshots.remove(key.digest)
        return False

    async def _fault_of(self, snapshot: Snapshot, spec: MachineSpec) -> str | None:
        """Return why nothing goes on from a snapshot, None where the machine now does."""
        try:
            await self._adopt(snapshot)
            await self._start(
                RestoredMachine(spec, self._build.ledger, self._build.events, snapshot=snapshot)
            )
        except (SnapshotError, OSError) as error:
            await self._stop()
            await self._layers.take_back()
            return str(error)
        made = snapshot.known.made_at.astimezone()
        self._build.events.note(
            f"The machine goes on from the memory of one that booted on {made:%Y-%m-%d %H:%M}"
        )
        return None

    async def _adopt(self, snapshot: Snapshot) -> None:
        """Put the snapshot's disk under the build's layers, with a name of its own: it may be removed."""
        path = layer_files(self._build).new()
        with self._build.ledger.claimed(ResourceKind.PATH, path):
            try:
                await duplicate(snapshot.disk, path)
                await self._layers.adopt(path, step=0, deprovisioning=DEFAULT)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    async def _is_made(self, key: SnapshotKey, spec: MachineSpec) -> bool:
        """Make the snapshot of a key; False where that cannot be done, but a machine may boot."""
        events, ledger = self._build.events, self._build.ledger
        events.note(
            "The machine boots once, for a memory snapshot from which this build and later ones go on"
        )
        try:
            with self._snapshots.making(key) as making:
                await create_overlay(
                    making.disk,
                    backing=self._base.path,
                    backing_format=self._base.format,
                    size=self._layers.size_bytes,
                )
                machine = SavedMachine(dataclasses.replace(spec, name=f"{spec.name}{ROLE}"), ledger, events)
                try:
                    await write_script(await machine.start(making.disk))
                    session = await machine.save(making.memory)
                finally:
                    await machine.destroy()
                await making.finish(
                    machine.identity,
                    base=self._base.path,
                    description=self._base.description,
                    session=session,
                )
        except (SnapshotError, ProcessError, OSError) as error:
            self._fault = str(error)
            events.warn(f"No memory snapshot of the machine could be made: {error}")
            return False
        return True
