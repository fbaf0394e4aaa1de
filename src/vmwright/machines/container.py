"""The container: systemd-nspawn on the build's own disk, for Linux guests, at the host's speed.

It boots the image's systemd with its services, network and sudo, but with this host's kernel: what belongs to
the kernel or the boot loader is noticed (``changed_boot_files``) and finished in a VM.

From the inside out, and removed in the reverse order: the storage daemon shows the qcow2 chain as a raw file;
its root partition is mounted; a cgroup is made; systemd-nspawn boots the tree in it;
pasta, or a bridge, connects it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

from vmwright.disks.attach import AttachedRoot
from vmwright.disks.mounts import shared, thaw
from vmwright.disks.storage_daemon import StorageDaemon
from vmwright.errors import MachineError
from vmwright.guests.build_user import create_build_user
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.nsenter import NsenterTransport
from vmwright.machines import nspawn, pasta
from vmwright.machines.boot_files import BootFiles, boot_files, changes
from vmwright.machines.cgroup import Cgroup, hierarchies
from vmwright.machines.container_needs import refuse_other_partitions
from vmwright.machines.container_network import ContainerNetwork
from vmwright.machines.machine import MachineKind
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.machines.machine import MachineSpec
    from vmwright.machines.nspawn import Life
    from vmwright.state.resources import Ledger

Part = TypeVar("Part")

BOOT_SECONDS = 120.0
SWITCH_OFF_SECONDS = 30.0

# A VM's first boot makes host keys; without one a step's `systemctl restart ssh` would fail only in here.
# Generalizing removes them.
HOST_KEYS = """
key=/etc/ssh/ssh_host_ed25519_key
command -v ssh-keygen >/dev/null 2>&1 && [ -d /etc/ssh ] && [ ! -e "$key" ] || exit 0
ssh-keygen -q -t ed25519 -N '' -f "$key"
for unit in ssh.service sshd.service; do
    case $(systemctl is-active "$unit") in
    failed | activating) systemctl reset-failed "$unit"; systemctl restart "$unit" ;;
    esac
done
exit 0
"""


class ContainerMachine:
    """A Linux guest in a container; see ``Machine`` for the order of calls."""

    kind = MachineKind.CONTAINER

    def __init__(self, spec: MachineSpec, ledger: Ledger, events: Events) -> None:
        self._spec = spec
        self._ledger = ledger
        self._events = events
        self._folder = spec.folder / "container"
        self._transport = NsenterTransport(spec.user)
        self._guest = LinuxGuest(self._transport, spec.user)
        self._network = ContainerNetwork(
            spec.network, self._guest, log=self._folder / "network.log", ledger=ledger
        )
        self._boot_files: BootFiles = {}
        self._disk = contextlib.AsyncExitStack()
        self._alive = contextlib.AsyncExitStack()
        self._daemon: StorageDaemon | None = None
        self._root: AttachedRoot | None = None
        self._life: Life | None = None

    async def start(self, disk: Path) -> LinuxGuest:
        """Boot the container on ``disk``; see ``Machine.start``.

        :raises UnsupportedError: the disk's layout is not one that can be mounted and grown here, or it has
            partitions besides its root that the guest needs.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._disk.enter_async_context(shared(self._folder, self._ledger))
        self._daemon = await self._disk.enter_async_context(
            StorageDaemon(disk, self._folder / "disk.raw", self._ledger)
        )
        self._root = await self._disk.enter_async_context(
            AttachedRoot(self._daemon.raw, self._folder / "root", self._ledger)
        )
        await self._boot()
        await refuse_other_partitions(self._guest)
        await create_build_user(self._guest)
        await self._guest.ask("sh", "-c", HOST_KEYS, as_root=True)
        self._boot_files = await boot_files(self._guest)
        return self._guest

    async def settle(self, *, timeout: float) -> bool:
        """Boot the container again where it asked for that; see ``Machine.settle``."""
        if not await self._transport.is_stopping():
            return False
        try:
            async with asyncio.timeout(timeout):
                code = await _started(self._life).over()
                await self._alive.aclose()
                if code != nspawn.REBOOT:
                    raise MachineError(
                        "The guest was switched off by a step",
                        hint="a step may restart the guest (`sudo reboot`), not switch it off",
                    )
                await self._boot()
        except TimeoutError:
            raise MachineError(f"The guest did not come back within {timeout:g} seconds") from None
        return True

    async def checkpoint(self, layer: Path) -> None:
        """Freeze the disk for an instant and go on in a new layer; see ``Machine.checkpoint``."""
        daemon, root = _started(self._daemon), _started(self._root)
        await pasta.leave_resolver(self._guest)
        async with root.frozen():
            await daemon.snapshot(layer)
        await self._network.set_resolver()

    async def changed_boot_files(self) -> tuple[str, ...]:
        """Return the boot files that were changed in here; see ``Machine.changed_boot_files``."""
        return changes(self._boot_files, await boot_files(self._guest))

    async def power_off(self) -> None:
        """Switch the container off, give freed blocks back, close the disk; see ``Machine.power_off``."""
        life, root = _started(self._life), _started(self._root)
        await pasta.leave_resolver(self._guest)
        life.switch_off()
        try:
            async with asyncio.timeout(SWITCH_OFF_SECONDS):
                await life.over()
        except TimeoutError:
            self._events.warn(
                f"The guest did not switch off within {SWITCH_OFF_SECONDS:g} seconds and was killed"
            )
        await self._alive.aclose()
        await root.trim()
        await self.destroy()

    async def destroy(self) -> None:
        """Remove everything; see ``Machine.destroy``."""
        if self._root:
            await thaw(self._root.folder)
        await self._alive.aclose()
        await self._disk.aclose()

    async def _boot(self) -> None:
        """Boot the container, at first or after a reboot; each life has a cgroup and a network of its own."""
        root = _started(self._root)
        own = await self._alive.enter_async_context(self._own_cgroup())
        life = await self._alive.enter_async_context(
            nspawn.launched(
                self._spec.name,
                root.folder,
                start_in=own.start_in(),
                network=self._network.options(),
                log=self._folder / "console.log",
                ledger=self._ledger,
            )
        )
        self._life = life
        leader = await life.born(timeout=BOOT_SECONDS)
        await self._alive.enter_async_context(self._network.connected(leader))
        await life.booted(timeout=BOOT_SECONDS)
        self._transport.lead_to(leader, own.enter())
        await self._network.configure(leader)

    @contextlib.asynccontextmanager
    async def _own_cgroup(self) -> AsyncIterator[Cgroup]:
        name = self._spec.name
        claim = self._ledger.claim(ResourceKind.CGROUP, name)
        own = Cgroup(name, hierarchies())
        try:
            own.make()
        except MachineError:
            self._ledger.release(claim)  # what is there now is another container's
            raise
        try:
            refused = own.limit(cpus=self._spec.cpus, memory_mib=self._spec.memory_mib)
            if refused and self._life is None:
                self._events.note(f"This host cannot limit the container's {' and '.join(refused)}")
            yield own
        finally:
            await nspawn.remove_container(name)
            self._ledger.release(claim)


def _started(part: Part | None) -> Part:
    if part is None:
        raise MachineError("The container is not started")
    return part
