"""The programs of this host that a virtual machine consists of, and how each of them can end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.disks.uncut import uncut
from vmwright.errors import MachineError, MachineLostError
from vmwright.machines import bridge
from vmwright.machines.azure.instance import WIRESERVER_ADDRESS
from vmwright.machines.losses import an_end, loss
from vmwright.machines.monitor import Monitor
from vmwright.machines.network import NetworkMode
from vmwright.machines.passt import PLAIN, Forward, GuestAddresses
from vmwright.machines.qemu_arguments import Attachments, Device, qemu_arguments
from vmwright.machines.seed import new_access
from vmwright.machines.vm_identity import VmIdentity
from vmwright.machines.vm_network import VmNetwork, vm_network
from vmwright.marks import marked
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.guests.ssh import SshTransport
    from vmwright.machines.azure.platform import Platform
    from vmwright.machines.firmware import Firmware
    from vmwright.machines.machine import MachineSpec
    from vmwright.process import Running
    from vmwright.state.resources import Ledger

CONSOLE_LINES = 15
SSH_PORT = 22
STOPPED = "terminating on signal"
# waagent looks for a route to the wireserver where DHCP does not name it (option 245): the gateway's is one
ON_AZURE = GuestAddresses(gateway=WIRESERVER_ADDRESS)


class QemuPrograms:
    """QEMU with its network and its files on this host; ``destroy`` removes all of it.

    :param forwards: ports of the host's loopback interface at which ports of the guest answer, beside SSH.
    """

    def __init__(
        self, spec: MachineSpec, ledger: Ledger, events: Events, *, forwards: Sequence[Forward] = ()
    ) -> None:
        self.spec = spec
        self.access = new_access(spec.user)
        self.identity = VmIdentity(name=spec.name, access=self.access)
        self.ssh_port = 0
        self.forwards = tuple(forwards)
        self._ledger = ledger
        self._events = events
        self._owned = contextlib.AsyncExitStack()
        self._monitor = Monitor(spec.name, on_reset=self._on_reset)
        self._qemu: Running | None = None
        self._passt: Running | None = None
        self._network: VmNetwork | None = None
        self._platform: Platform | None = None
        self._transport: SshTransport | None = None
        self._disk: Path | None = None
        self._is_destroyed = False
        self._loss: MachineLostError | None = None

    @property
    def console(self) -> Path:
        """The file with what the guest wrote to its serial port."""
        return self.spec.folder / f"{self.spec.name}.console"

    async def destroy(self) -> None:
        """End QEMU and passt and remove the seed and the firmware's variables."""
        if not self._is_destroyed:
            self._is_destroyed, self._loss = True, self._lost()
        if self._transport:
            self._transport.abort()
        await uncut(self._owned.aclose())

    def ended(self) -> MachineError | None:
        """Return what ended the machine, whoever did it, or None while it runs."""
        if self._qemu and self._qemu.returncode == 0 and not was_stopped(self._qemu):
            return self._with_console("The guest was powered off while it was still needed")
        if self._platform and (failure := self._platform.failure()):
            return self._with_console(failure)
        for name, running in self._programs():
            # passt ends with 0 when QEMU does: then QEMU's own end, seen in a moment, tells more
            if running.returncode and running.returncode > 0:
                said = running.last_lines()
                return self._with_console(f"{name} ended with exit code {running.returncode}: {said}")
            if running.returncode and running.returncode < 0:
                return loss(name, running)
        return loss("QEMU", self._qemu) if self._qemu and self._qemu.returncode == 0 else None

    async def lost(self) -> MachineLostError | None:
        """Return which program was killed; see ``Machine.lost``."""
        if self._is_destroyed:
            return self._loss
        if self.ended() is None:
            await an_end(running for _, running in self._programs())
        return self._lost()

    def _lost(self) -> MachineLostError | None:
        """Return which program was killed, of those whose end is known by now."""
        reason = self.ended()
        if isinstance(reason, MachineLostError):
            return reason
        is_up = self._qemu is not None and self._qemu.returncode is None
        # told to end, they do so with 0; by themselves never before QEMU
        told = (loss(name, running) for name, running in self._programs() if running.returncode == 0)
        return next(told, None) if reason is None and is_up else None

    async def unless_ended(self, work: Coroutine[None, None, None], *, within: float) -> None:
        """Do some work with QEMU, of whose end the work itself learns nothing.

        :param within: seconds.
        :raises MachineError: QEMU has ended first, or the time is over.
        """
        doing, ending = asyncio.ensure_future(work), asyncio.ensure_future(self._running_qemu().wait())
        try:
            await asyncio.wait([doing, ending], timeout=within, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise self.ended() or MachineError(f"QEMU was not done within {within:g} seconds")
            doing.result()
        finally:
            doing.cancel()
            ending.cancel()
            await asyncio.wait([doing, ending])

    def _programs(self) -> Iterator[tuple[str, Running]]:
        pasta = self._network.pasta if self._network else None
        for name, running in (("QEMU", self._qemu), ("passt", self._passt), ("pasta", pasta)):
            if running:
                yield name, running

    async def _launch(self, seed: Path, firmware: Firmware | None, *, waits: bool) -> None:
        """Make the network, then start QEMU; no other process can open what they are attached to."""
        control, qemu_control = socket.socketpair()
        with control, qemu_control, contextlib.ExitStack() as handed_over:
            device = await self._connect(handed_over)
            attached = Attachments(
                disk=self._running_disk(),
                seed=seed,
                console=self.console,
                firmware=firmware,
                control=qemu_control.fileno(),
                network=device,
                instance=self._platform.instance if self._platform else None,
                waits=waits,
            )
            token = self._own_process()
            self._qemu = await process.start(
                qemu_arguments(self.spec, attached),
                log=self.spec.folder / f"{self.spec.name}.qemu.log",
                env=marked(token),
                pass_fds=(qemu_control.fileno(), device.descriptor),
                hint="apt-get install qemu-system-x86",
            )
            self._owned.push_async_callback(self._qemu.end)
            qemu_control.close()
            self._owned.push_async_callback(self._monitor.close)
            try:
                await self._monitor.connect(control.dup())
            except MachineError as error:
                await has_ended(self._qemu, within=1)
                raise self.ended() or error from None

    async def _connect(self, handed_over: contextlib.ExitStack) -> Device:
        """Make the network behind QEMU's network device; ``handed_over`` closes what then is QEMU's alone."""
        if self.spec.network.mode is NetworkMode.BRIDGE:
            tap = await bridge.open_tap(self.spec.network.bridge)
            handed_over.callback(os.close, tap)
            return Device(descriptor=tap, mac=self.identity.mac, is_tap=True)
        token, log = self._own_process(), self.spec.folder / f"{self.spec.name}.passt.log"
        forwards = (Forward(0, SSH_PORT), *self.forwards)
        self._network = network = await self._owned.enter_async_context(
            vm_network(self.spec.network, forwards, log=log, token=token, events=self._events)
        )
        ours, qemus = socket.socketpair()
        handed_over.enter_context(qemus)
        with ours:
            self._passt, (ssh, *others) = await network.start_passt(
                ours, log=log, token=token, addresses=ON_AZURE if self._platform else PLAIN
            )
        self._owned.push_async_callback(self._passt.end)
        if self._platform and network.namespace:
            await self._owned.enter_async_context(self._platform.served(network.namespace.listen))
        self.ssh_port, self.forwards = ssh.host_port, tuple(others)
        return Device(descriptor=qemus.fileno(), mac=self.identity.mac)

    def _own_path(self, name: str) -> Path:
        """Claim a file that is about to be made, to be removed with the machine."""
        path = self.spec.folder.absolute() / name
        claim = self._ledger.claim(ResourceKind.PATH, path)
        self._owned.callback(self._ledger.release, claim)
        self._owned.callback(path.unlink, missing_ok=True)
        return path

    def _own_process(self) -> str:
        """Claim a process that is about to be started; return the token that it is to carry."""
        token = uuid.uuid4().hex
        claim = self._ledger.claim(ResourceKind.PROCESS, token)
        self._owned.callback(self._ledger.release, claim)
        return token

    def _on_reset(self) -> None:
        """Drop the connection to a guest that was reset: it would hang until a keep-alive is missed."""
        if self._transport:
            self._transport.abort()

    def _with_console(self, message: str) -> MachineError:
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        lines = [line for line in text.replace("\r", "").splitlines() if line.strip()][-CONSOLE_LINES:]
        said = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        return MachineError(f"{message.strip()}\nThe console's last lines:\n{said}", target=str(self.console))

    def _running_qemu(self) -> Running:
        if self._qemu is None:
            raise MachineError("The machine has not been started")
        return self._qemu

    def _running_disk(self) -> Path:
        if self._disk is None:
            raise MachineError("The machine has not been started")
        return self._disk


async def has_ended(running: Running, *, within: float) -> bool:
    """Wait for a program's end, ``within`` seconds at most; tell whether it has come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await running.wait()
    return running.returncode is not None


def was_stopped(qemu: Running) -> bool:
    """Whether a signal that it minds ended QEMU: its exit code is 0 then, as when its guest is off."""
    return STOPPED in qemu.last_lines()
