"""Virtual machines whose memory is saved, and those that go on from it."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from typing import TYPE_CHECKING

from vmwright.errors import MachineError, MachineLostError, SnapshotError
from vmwright.guests.ssh import SshAddress
from vmwright.machines.qemu import QemuMachine
from vmwright.machines.renewal import NewKeys, new_keys, prepare, renew

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.machine import MachineSpec
    from vmwright.machines.snapshot import Snapshot
    from vmwright.state.resources import Ledger

# of guests that keep the name which they were provisioned with: no build's
NAME = "vmwright"
MEMORY_SECONDS = 300.0
ANSWER_SECONDS = 120.0
# by which QEMU ends itself
CRASHES = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}


class SavedMachine(QemuMachine):
    """A virtual machine that is booted to have its memory saved; it ends with that.

    ``start`` also raises SnapshotError, where QEMU cannot save such a machine: that is seen before it boots.
    """

    def __init__(self, spec: MachineSpec, ledger: Ledger, events: Events) -> None:
        super().__init__(spec, ledger, events)
        self.identity = dataclasses.replace(self.identity, name=NAME)

    async def save(self, memory: int) -> int:
        """Write the memory of the idle guest to an open file and end QEMU; the disk is what goes with it.

        :returns: the process in the guest that serves the connection.
        :raises SnapshotError: it could not be saved.
        """
        try:
            session = await prepare(self._running_guest())
            await self._monitor.pause()
            await self.unless_ended(self._monitor.write_memory(memory), within=MEMORY_SECONDS)
            await self._monitor.quit()
            await self._running_qemu().wait()
        except MachineError as error:
            raise SnapshotError(error.message, hint=error.hint) from error
        await self.destroy()
        return session

    async def _power_on(self, disk: Path, *, waits: bool = False) -> None:
        await super()._power_on(disk, waits=waits)
        if reasons := await self._monitor.reasons_against_moving():
            raise SnapshotError(f"QEMU cannot save the memory of this machine: {'; '.join(reasons)}")


class RestoredMachine(QemuMachine):
    """A virtual machine that goes on where a saved one was, on an overlay of the snapshot's disk.

    :param snapshot: stays as it is.
    """

    def __init__(self, spec: MachineSpec, ledger: Ledger, events: Events, *, snapshot: Snapshot) -> None:
        super().__init__(spec, ledger, events)
        self.identity = snapshot.identity
        self._snapshot = snapshot

    async def start(self, disk: Path) -> LinuxGuest:
        """Go on on ``disk``, with keys, names and a clock of the machine's own.

        :raises SnapshotError: the snapshot is damaged, QEMU does not take it, or its guest does not answer.
        """
        undamaged = asyncio.ensure_future(self._snapshot.require_undamaged())
        keys = asyncio.ensure_future(asyncio.to_thread(new_keys, self.access))
        try:
            await self._power_on(disk, waits=True)
            if self._platform:
                self._platform.take_as_ready()
            with self._snapshot.memory.open("rb") as memory:
                await self.unless_ended(self._monitor.read_memory(memory.fileno()), within=MEMORY_SECONDS)
            await self._monitor.go_on()
            guest = await self._reach(ANSWER_SECONDS)
            await undamaged
            await self._renew(guest, await keys)
        except (MachineError, OSError) as error:
            reason = self.ended() or error
            if isinstance(reason, MachineLostError) and not self._has_crashed():
                raise reason from None
            raise SnapshotError(str(reason)) from error
        finally:
            undamaged.cancel()
            await asyncio.wait([undamaged, keys])
        return guest

    def _has_crashed(self) -> bool:
        return -(self._running_qemu().returncode or 0) in CRASHES

    async def _renew(self, guest: LinuxGuest, keys: NewKeys) -> None:
        # Azure's agent restarts the network of a guest whose name changes
        hostname = self.identity.name if self._platform else self.spec.name
        self._boot_id = await renew(
            guest,
            hostname=hostname,
            session=self._snapshot.known.session,
            old=self.identity.access,
            new=keys,
        )
        transport = self._running_transport()
        known, new = transport.address, self.access
        transport.address = SshAddress(known.host, known.port, new.user, new.client_key, new.host_key)
