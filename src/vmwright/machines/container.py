"""The container: systemd-nspawn on the build's own disk, for Linux guests, at the host's speed.

It boots the image's systemd with its services, network and sudo, but with this host's kernel: what belongs to
the kernel or the boot loader is noticed (``boot_files.py``) and finished in a VM.

From the inside out, and removed in the reverse order: the storage daemon shows the qcow2 chain as a raw file;
its root partition is mounted in a mount namespace of its own; a cgroup is made; systemd-nspawn boots the tree
in both; pasta, or a bridge, connects it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

from vmwright.artifacts.foreign_tree import ForeignTree
from vmwright.disks import storage_daemon
from vmwright.disks.attach import AttachedRoot
from vmwright.disks.storage_daemon import StorageDaemon
from vmwright.disks.uncut import beside, uncut
from vmwright.errors import MachineError, MachineLostError, ProcessError
from vmwright.guests.build_user import create_build_user
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.nsenter import NsenterTransport
from vmwright.machines import nspawn, pasta
from vmwright.machines.boot_files import BootFilesOnDisk
from vmwright.machines.cgroup import Cgroup
from vmwright.machines.cgroup_trees import hierarchies, kill_all
from vmwright.machines.container_needs import refuse_other_partitions
from vmwright.machines.container_network import ContainerNetwork, received_bytes
from vmwright.machines.host_keys import give_host_keys, new_host_keys
from vmwright.machines.losses import an_end, loss
from vmwright.machines.machine import MachineKind
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.machines.boot_files import BootFiles
    from vmwright.machines.machine import MachineSpec
    from vmwright.machines.nspawn import Life
    from vmwright.process import Running
    from vmwright.state.resources import Ledger

Part = TypeVar("Part")

BOOT_SECONDS = 120.0
SWITCH_OFF_SECONDS = 30.0
STORAGE, PASTA = storage_daemon.PROGRAM, pasta.PROGRAM


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
        self._disk = contextlib.AsyncExitStack()
        self._alive = contextlib.AsyncExitStack()
        self._daemon: StorageDaemon | None = None
        self._root: AttachedRoot | None = None
        self._boot_files: BootFilesOnDisk | None = None
        self._life: Life | None = None
        self._has_booted = False
        self._is_destroyed = False
        self._loss: MachineLostError | None = None

    async def start(self, disk: Path) -> LinuxGuest:
        """Boot the container on ``disk``; see ``Machine.start``.

        :raises UnsupportedError: the disk's layout is not one that can be mounted and grown here, or it has
            partitions besides its root that the guest needs.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = asyncio.create_task(asyncio.to_thread(new_host_keys))  # while the disk is opened
        self._daemon = await self._disk.enter_async_context(
            StorageDaemon(disk, self._folder / "disk.raw", self._ledger)
        )
        self._root = await self._disk.enter_async_context(
            AttachedRoot(self._daemon.raw, self._folder / "root", self._ledger)
        )
        tree = ForeignTree(self._root.seen)
        refuse_other_partitions(tree)
        await asyncio.to_thread(give_host_keys, tree, await keys)
        self._boot_files = BootFilesOnDisk(tree)
        async with beside(self._read_ahead(self._boot_files)):
            await self._boot()
        return self._guest

    async def _read_ahead(self, boot_files: BootFilesOnDisk) -> None:
        """Read the boot files beside the boot; whoever asks for them later finds them read."""
        await uncut(asyncio.to_thread(boot_files.read))

    async def settle(self, *, timeout: float) -> bool:
        """Boot the container again where it asked for that; see ``Machine.settle``."""
        self._refuse_lost()
        if not await self._transport.is_stopping():
            self._refuse_lost()
            return False
        try:
            async with asyncio.timeout(timeout):
                code = await _started(self._life).over()
                self._refuse_lost()
                await self._end_life()
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
        try:
            self._refuse_lost()
            await self._network.leave_resolver()
            async with root.frozen():
                await daemon.snapshot(layer)
            await self._network.keep_resolver()
        except (MachineError, ProcessError) as error:
            raise await self.lost() or error from None

    def received_bytes(self) -> int | None:
        """Return what the interfaces of the container have received; see ``Machine.received_bytes``."""
        return received_bytes(self._transport.leader)

    async def boot_files(self) -> BootFiles:
        """Return what the guest boots from; see ``Machine.boot_files``."""
        return await asyncio.to_thread(_started(self._boot_files).read)

    async def power_off(self) -> None:
        """Switch the container off, give freed blocks back, close the disk; see ``Machine.power_off``."""
        life, root = _started(self._life), _started(self._root)
        try:
            self._refuse_lost()
            await self._network.leave_resolver()
            life.switch_off()
            if await _is_over(life, within=SWITCH_OFF_SECONDS):
                self._refuse_lost()
            else:
                self._events.warn(
                    f"The guest did not switch off within {SWITCH_OFF_SECONDS:g} seconds and was killed"
                )
            await self._end_life()
            await root.trim()
        except (MachineError, ProcessError) as error:
            raise await self.lost() or error from None
        await self.destroy()

    async def lost(self) -> MachineLostError | None:
        """Return which program was killed; see ``Machine.lost``."""
        if self._is_destroyed:
            return self._loss
        if self._lost() is None:
            await an_end(running for _, running in self._programs())
        return self._lost()

    def _lost(self) -> MachineLostError | None:
        """Return which program was killed, of those whose end is known by now."""
        life = self._life
        if life and life.was_killed:
            return loss("systemd-nspawn, or the container's init,", life.running)
        for name, running in self._programs():
            # by itself the storage daemon never ends, and pasta not before its container
            needed = name == STORAGE or (name == PASTA and self._transport.is_up)
            if (code := running.returncode) is not None and (code < 0 or needed):
                return loss(name, running)
        return None

    def _refuse_lost(self) -> None:
        if error := self._lost():
            raise error

    def _programs(self) -> Iterator[tuple[str, Running]]:
        daemon = self._daemon.running if self._daemon else None
        life = self._life.running if self._life else None
        network = self._network.pasta if self._life else None
        for name, running in ((STORAGE, daemon), (nspawn.PROGRAM, life), (PASTA, network)):
            if running:
                yield name, running

    async def destroy(self) -> None:
        """Remove everything; see ``Machine.destroy``."""
        if not self._is_destroyed:
            self._is_destroyed, self._loss = True, self._lost()
        await uncut(self._remove())

    async def _remove(self) -> None:
        async with contextlib.AsyncExitStack() as parts:
            parts.push_async_callback(self._disk.aclose)
            parts.push_async_callback(self._alive.aclose)
            if self._root:
                await self._root.thaw()

    async def _end_life(self) -> None:
        """End what is left of the container's present life, which is no loss."""
        self._life = None
        await uncut(self._alive.aclose())

    async def _boot(self) -> None:
        """Boot the container, at first or after a reboot; each life has a cgroup and a network of its own."""
        root = _started(self._root)
        own = await self._alive.enter_async_context(self._own_cgroup())
        life = await self._alive.enter_async_context(
            nspawn.launched(
                self._spec.name,
                root.folder,
                start_in=(*own.start_in(), *root.enter()),
                network=self._network.options(),
                log=self._folder / "console.log",
                ledger=self._ledger,
            )
        )
        self._life = life
        await self._alive.enter_async_context(_dying_with(life, self._spec.name))
        leader = await life.born(timeout=BOOT_SECONDS)
        self._transport.lead_to(leader, own.enter())
        async with beside(self._prepare()):
            await self._alive.enter_async_context(self._network.connected(leader))
            await life.booted(timeout=BOOT_SECONDS)
        await self._network.configure()
        self._has_booted = True

    async def _prepare(self) -> None:
        """Do beside the boot what needs the guest's init, but none of its services."""
        await self._network.prepare()
        if not self._has_booted:
            await create_build_user(self._guest)

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
            if refused and not self._has_booted:
                self._events.note(f"This host cannot limit the container's {' and '.join(refused)}")
            yield own
        finally:
            await nspawn.remove_container(name)
            self._ledger.release(claim)


@contextlib.asynccontextmanager
async def _dying_with(life: Life, name: str) -> AsyncIterator[None]:
    """Kill the container when its nspawn was killed: a step of hours would go on in it, to be run again."""

    async def watch() -> None:
        await life.over()
        await asyncio.to_thread(kill_all, name)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _is_over(life: Life, *, within: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await life.over()
            return True
    return False


def _started(part: Part | None) -> Part:
    if part is None:
        raise MachineError("The container is not started")
    return part
