"""The virtual machine: QEMU under one guest, from power on to a closed disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from vmwright.errors import MachineError
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.ssh import SshAddress, SshTransport
from vmwright.machines import bridge, netns
from vmwright.machines.azure.instance import Instance, Nic
from vmwright.machines.azure.ovf import write_dvd
from vmwright.machines.boot_files import boot_files
from vmwright.machines.firmware import own_copy, require_firmware
from vmwright.machines.machine import MachineKind
from vmwright.machines.passt import LOOPBACK
from vmwright.machines.provisioning import finish_provisioning, settled_state
from vmwright.machines.qemu_programs import ON_AZURE, SSH_PORT, QemuPrograms, has_ended, was_stopped
from vmwright.machines.seed import cloud_config, write_seed
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.machines.azure.platform import Platform
    from vmwright.machines.boot_files import BootFiles
    from vmwright.machines.firmware import Firmware
    from vmwright.machines.machine import MachineSpec
    from vmwright.machines.passt import Forward
    from vmwright.state.resources import Ledger

BOOT_SECONDS = 900.0
SHUTDOWN_SECONDS = 120.0


class QemuMachine(QemuPrograms):
    """A virtual machine; see ``Machine`` for the order of calls."""

    kind = MachineKind.VM

    def __init__(
        self, spec: MachineSpec, ledger: Ledger, events: Events, *, forwards: Sequence[Forward] = ()
    ) -> None:
        super().__init__(spec, ledger, events, forwards=forwards)
        self._guest: LinuxGuest | None = None
        self._layers = 0
        self._boot_id = ""

    async def start(self, disk: Path) -> LinuxGuest:
        """Boot ``disk`` through its own firmware and boot loader and wait until cloud-init is done."""
        await self._power_on(disk)
        try:
            guest = await self._reach(BOOT_SECONDS)
            await finish_provisioning(guest, self._events)
            if self._platform:
                await self._platform.wait_until_ready()
            self._boot_id = await guest.boot_id()
        except MachineError as error:
            raise self.ended() or self._with_console(error.message) from None
        return guest

    async def settle(self, *, timeout: float) -> bool:
        """Wait for a restart that the guest has begun; a connection lost for another reason is none."""
        guest = self._running_guest()
        try:
            async with asyncio.timeout(timeout):
                state = await settled_state(guest, self.ended)
                if state.boot_id == self._boot_id:
                    return False
                self._boot_id = state.boot_id
                await finish_provisioning(guest, self._events)
        except TimeoutError:
            raise self._with_console(
                f"The guest was restarted and did not come back within {timeout:g} seconds"
            ) from None
        return True

    async def checkpoint(self, layer: Path) -> None:
        """Freeze the disk under the running guest; the frozen file is on the host's disk afterwards."""
        disk, layer = self._running_disk(), layer.absolute()
        if layer.exists():
            # QEMU would overwrite it without a word
            raise MachineError(f"There is a layer at {layer} already", target=str(layer))
        # for as long as it takes: a step may have left gigabytes unwritten
        if await self._running_guest().run("sync", sink=lambda *_: None) != 0:
            raise self.ended() or MachineError("The guest could not write its files to the disk (sync)")
        new_node = f"layer{self._layers + 1}"
        await self._monitor.snapshot(f"layer{self._layers}", layer, new_node=new_node)
        self._layers += 1
        self._disk = layer
        await asyncio.to_thread(_flush, disk)

    def received_bytes(self) -> int | None:
        """Return None: passt does not tell; see ``Machine.received_bytes``."""
        return None

    async def boot_files(self) -> BootFiles:
        """Return what the guest boots from; see ``Machine.boot_files``."""
        return await boot_files(self._running_guest())

    async def power_off(self) -> None:
        """Shut the guest down: by its own command first, by the power button where that does not end it."""
        qemu, disk = self._running_qemu(), self._running_disk()
        if not (await self._ask_to_stop() and await has_ended(qemu, within=SHUTDOWN_SECONDS / 2)):
            await self._monitor.press_power_button()
            if not await has_ended(qemu, within=SHUTDOWN_SECONDS / 2):
                raise self._with_console(f"The guest did not shut down within {SHUTDOWN_SECONDS:g} seconds")
        if qemu.returncode or was_stopped(qemu):
            raise self.ended() or MachineError("QEMU was ended by another than its guest")
        await self.destroy()
        await asyncio.to_thread(_flush, disk)

    async def wait_until_off(self) -> None:
        """Wait until the guest is powered off from within, or QEMU ends in another way."""
        await self._running_qemu().wait()

    async def _power_on(self, disk: Path, *, waits: bool = False) -> None:
        """Start QEMU on a disk; the guest boots, or ``waits`` for its memory."""
        self._disk = disk.absolute()
        firmware = self._own_firmware()
        self._platform = await self._azure_platform()
        await self._launch(self._make_seed(), firmware, waits=waits)

    async def _reach(self, within: float) -> LinuxGuest:
        """Connect to the guest, with the keys that it was provisioned with."""
        self._transport = SshTransport(await self._ssh_address(within), lost=self.ended)
        self._owned.push_async_callback(self._transport.close)
        await self._transport.connect(timeout=within)
        self._guest = LinuxGuest(self._transport, self.spec.user)
        return self._guest

    async def _ask_to_stop(self) -> bool:
        """Tell the guest to shut down; False where it cannot be told, as when the build user is gone."""
        with contextlib.suppress(MachineError):
            told = await self._running_guest().ask("systemctl", "poweroff", as_root=True, check=False)
            return told.exit_code in {0, None}
        return False

    def _own_firmware(self) -> Firmware | None:
        if self.spec.generation is Generation.V1:
            return None
        return own_copy(require_firmware(), self._own_path(f"{self.spec.name}.efivars"))

    async def _azure_platform(self) -> Platform | None:
        """Return what the guest finds as Azure's platform, None where it gets a NoCloud seed."""
        if self.spec.azure is None:
            return None
        on_bridge = "it is on a bridge of the host" if self.spec.network.bridge else None
        if reason := on_bridge or await netns.obstacle():
            self._events.warn(
                f"The guest gets a NoCloud seed, for it cannot reach Azure's addresses: {reason}"
            )
            return None
        from vmwright.machines.azure.platform import Platform  # noqa: PLC0415 - its web server: 0.1 s

        instance = Instance(
            name=self.identity.name,
            user=self.spec.user,
            public_key=self.access.authorized_key,
            environment=self.spec.azure,
            vm_id=self.identity.vm_id,
            container_id=self.identity.container_id,
            nic=Nic(mac=self.identity.mac, address=ON_AZURE.address, prefix=int(ON_AZURE.prefix)),
        )
        return Platform(instance, self._events)

    def _make_seed(self) -> Path:
        seed = self._own_path(f"{self.spec.name}.seed")
        if self._platform:
            write_dvd(seed, self._platform.instance, custom_data=cloud_config(self.access))
            return seed
        write_seed(seed, self.access, instance_id=self.identity.instance_id, hostname=self.spec.name)
        return seed

    async def _ssh_address(self, within: float) -> SshAddress:
        """Return where the guest's SSH server answers; on a bridge the guest must be found first."""
        host, port = LOOPBACK, self.ssh_port
        if name := self.spec.network.bridge:
            port = SSH_PORT
            host = await bridge.find_guest(name, self.identity.mac, port, lost=self.ended, timeout=within)
        known = self.identity.access
        return SshAddress(host, port, known.user, known.client_key, known.host_key)

    def _running_guest(self) -> LinuxGuest:
        if self._guest is None:
            raise MachineError("The machine has not been started")
        return self._guest

    def _running_transport(self) -> SshTransport:
        if self._transport is None:
            raise MachineError("The machine has not been started")
        return self._transport


def _flush(path: Path) -> None:
    """Bring a file to the host's disk: the guest's own flushes were not passed on."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
