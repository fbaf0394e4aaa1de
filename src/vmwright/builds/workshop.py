"""The machine of an attempt: started on the newest layer, and anew where a program of the host was killed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.builds import baseline, leftovers
from vmwright.builds.deprovisioning import DEFAULT, write_script
from vmwright.builds.hosting import machine_for, vm_for
from vmwright.builds.stage import Stage
from vmwright.disks.uncut import beside
from vmwright.machines.machine import MachineKind

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts.facts import Provisioning
    from vmwright.builds.build import Build
    from vmwright.builds.layers import Layers
    from vmwright.builds.leftovers import Left
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.machine import Machine
    from vmwright.sources.base_disk import BaseDisk


class Workshop(Stage):
    """A machine on the top layer of the build's disk, with the deprovisioning script in its guest.

    What it wrote since the newest layer goes when the next one begins.

    :param starts: is set when its first machine is started, from when on this process mostly waits.
    """

    def __init__(self, build: Build, base: BaseDisk, layers: Layers, *, starts: asyncio.Event) -> None:
        super().__init__()
        self._starts = starts
        self._left: Left | None = None
        self.layers = layers
        self._build = build
        self._base = base

    async def open(self) -> None:
        """Start the machine on a new top layer, unless it runs; the guest finds what it had before."""
        if self._guest is None:
            machine = await machine_for(self._build, self._base)
            if not await self._goes_on_from_memory(machine):
                await self._start(machine)

    async def go_on_in_vm(self, base: BaseDisk) -> None:
        """Hand the disk over from a container to a virtual machine."""
        await self.machine.power_off()
        await self.layers.seal(step=self.layers.step, deprovisioning=self.deprovisioning)
        await self.close()
        await self._start(await vm_for(self._build, base))

    async def settle(self, *, timeout: float) -> bool:
        """Wait for a restart that a step has begun; what it has left in /tmp is copied beside that."""
        saving = asyncio.ensure_future(leftovers.save(self.guest))
        try:
            restarted = await super().settle(timeout=timeout)
            self._left = None if restarted else await saving
        finally:
            saving.cancel()
            await asyncio.wait([saving])
            if not saving.cancelled():
                saving.exception()  # of a guest that went down, which is no news
        return restarted

    async def commit(self, step: int, *, network_used: bool) -> None:
        """Freeze the disk as it is after ``step``, a layer from then on.

        :param network_used: whether the step may have fetched something.
        """
        left, self._left = self._left or await leftovers.save(self.guest), None
        if not left.is_whole:
            self._build.events.warn(
                f"What is in /tmp after step {step} could not be copied: a build that goes on from here does "
                "not find it"
            )
        await self.layers.commit(
            self.machine,
            step=step,
            deprovisioning=left.deprovisioning,
            network_used=network_used,
            is_whole=left.is_whole,
        )
        self.deprovisioning = left.deprovisioning

    async def seal(self, step: int, provisioning: Provisioning) -> None:
        """Switch the machine off; its disk is a layer from then on."""
        await self.machine.power_off()
        newest = self.layers.newest
        is_custom = newest is not None and newest.deprovisioning not in {None, DEFAULT}
        await self.layers.seal(step=step, provisioning=provisioning, network_used=is_custom)
        await self.close()

    async def _goes_on_from_memory(self, machine: Machine) -> bool:
        if machine.kind is not MachineKind.VM:
            return False
        from vmwright.builds.memory_start import MemoryStart  # noqa: PLC0415 - only virtual machines need it

        memory = MemoryStart(self._build, self._base, self.layers, start=self._go_on, stop=self.close)
        return await memory.has_started(machine)

    async def _go_on(self, machine: Machine) -> None:
        await self._boot(machine, await self.layers.begin())
        self.deprovisioning = DEFAULT

    async def _start(self, machine: Machine) -> None:
        guest = await self._boot(machine, await self.layers.begin())
        newest = self.layers.newest
        async with beside(baseline.note(self._build, self, is_fresh=newest is None)):
            # its boot has emptied /tmp
            if newest and newest.step > 0:
                await leftovers.restore(guest)
            self.deprovisioning = newest.deprovisioning if newest else DEFAULT
            if self.deprovisioning is not None:
                await write_script(guest, self.deprovisioning)

    async def _boot(self, machine: Machine, disk: Path) -> LinuxGuest:
        self._starts.set()
        return await super()._boot(machine, disk)
