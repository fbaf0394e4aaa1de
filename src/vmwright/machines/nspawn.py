"""Booting a tree with systemd-nspawn: one life of a container, from launch to exit code.

User, process, network, mount and cgroup namespaces are the container's own; its user ids are mapped onto an
unused range of the host and back onto the disk's own (idmapped mount). It sees no device of the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmwright import process
from vmwright.errors import MachineError
from vmwright.machines import cgroup
from vmwright.marks import marked
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from vmwright.process import Running
    from vmwright.state.resources import Ledger

PROGRAM = "systemd-nspawn"
REBOOT = 133
KILLED = "terminated by signal KILL"
HALTED = "Trying to halt container. Send SIGTERM again"
LAST_WORDS = 1000  # lines of a container that is told to halt
HOST_FOLDERS = ("/run/systemd/nspawn/propagate", "/run/systemd/nspawn/unix-export")
DATAGRAM = 8192
LINES = 20
TIDY_SECONDS = 2.0
POLL_SECONDS = 0.005

# Given to PID 1, where a container's systemd and cloud-init read what a VM's kernel command line says: the
# first boot on Azure is not to happen here, with the host in Azure's place.
BOOT_ARGUMENTS = (
    "cloud-init=disabled",
    "systemd.mask=walinuxagent.service",
    "systemd.mask=waagent.service",
    "systemd.mask=systemd-remount-fs.service",  # the host mounts the root; failing, it would mark the boot
    "systemd.mask=systemd-networkd-wait-online.service",
    "systemd.mask=NetworkManager-wait-online.service",
)

ENVIRONMENT = {
    # /tmp is a folder of the image, as in a VM, not a tenth of the host's memory
    "SYSTEMD_NSPAWN_TMPFS_TMP": "0",
}


def nspawn_arguments(name: str, root: Path, network: Sequence[str]) -> list[str]:
    """Return systemd-nspawn's command line; the options set to off keep its hands off the image.

    :param network: its options that tell what network the container gets.
    """
    return [
        PROGRAM,
        "--quiet",
        f"--directory={root}",
        f"--machine={name}",
        "--boot",
        "--notify-ready=yes",
        "--register=no",
        "--keep-unit",
        "--private-users=pick",
        "--private-users-ownership=map",
        *network,
        "--console=read-only",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--setenv=TERM=dumb",  # no colours in its log
        *BOOT_ARGUMENTS,
    ]


class Life:
    """One life of a container: from ``launched`` until its init exits."""

    def __init__(self, running: Running, notices: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._running = running
        self._leader: asyncio.Future[int] = loop.create_future()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._notices = notices
        loop.add_reader(notices, self._listen)

    async def born(self, *, timeout: float) -> int:
        """Wait for the container's init and return its process id on this host (the leader)."""
        await self._wait_for(self._leader, timeout=timeout)
        leader = self._leader.result()
        await _became_init(leader, self._running)
        return leader

    async def booted(self, *, timeout: float) -> None:
        """Wait until the container's systemd has started all that belongs to a boot."""
        await self._wait_for(self._ready, timeout=timeout)

    async def over(self) -> int:
        """Wait for the end; return nspawn's exit code: 0 switched off, 133 (REBOOT) wants to live again."""
        return await self._running.wait()

    @property
    def running(self) -> Running:
        """systemd-nspawn, the container's parent; it never ends before the container unless it is killed."""
        return self._running

    @property
    def was_killed(self) -> bool:
        """Whether this host ended it: systemd-nspawn, or the init, which nobody inside can kill."""
        code = self._running.returncode
        if code is None or code < 0:
            return code is not None
        if code == 0:
            return HALTED in self._running.last_lines(LAST_WORDS)
        # it is said after the init's end, so behind all that the guest has printed
        return KILLED in self._running.last_lines(3)

    def switch_off(self) -> None:
        """Ask the container's systemd to power off."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._leader.result(), signal.SIGRTMIN + 4)

    async def end(self) -> None:
        """Kill the container's init; nspawn then tidies up after it and ends."""
        if self._running.returncode is None and self._leader.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._leader.result(), signal.SIGKILL)
        await self._running.end(grace=TIDY_SECONDS)

    async def _wait_for(self, notice: asyncio.Future[Any], *, timeout: float) -> None:
        end = asyncio.ensure_future(self._running.wait())
        try:
            await asyncio.wait({notice, end}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            end.cancel()
        if not notice.done():
            code = self._running.returncode
            how = (
                f"did not boot within {timeout:g} seconds" if code is None else f"ended with exit code {code}"
            )
            raise MachineError(
                f"The container {how}:\n{self._running.last_lines(LINES)}",
                hint="`--machine vm` also boots what a container cannot",
            )

    def _listen(self) -> None:
        """Take nspawn's notices; anybody on this host could send one, so a leader must be nspawn's child."""
        for line in self._notices.recv(DATAGRAM).decode(errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name == "X_NSPAWN_LEADER_PID" and not self._leader.done() and value.isdecimal():
                if _parent(int(value)) == self._running.pid:
                    self._leader.set_result(int(value))
            elif line == "READY=1" and self._leader.done() and not self._ready.done():
                self._ready.set_result(None)


@contextlib.asynccontextmanager
async def launched(
    name: str, root: Path, *, start_in: Sequence[str], network: Sequence[str], log: Path, ledger: Ledger
) -> AsyncIterator[Life]:
    """Launch the tree ``root`` as a container while the block runs; what is left at its end is killed.

    nspawn's death does not end its container: the owner of the cgroup (``start_in``) must kill that.
    """
    token = uuid.uuid4().hex
    claim = ledger.claim(ResourceKind.PROCESS, token)
    loop = asyncio.get_running_loop()
    life: Life | None = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notices:
        notices.bind(f"\0vmwright-{token}")  # without a file, hence without a limit to a folder's length
        try:
            running = await process.start(
                [*start_in, *nspawn_arguments(name, root, network)],
                log=log,
                env={**ENVIRONMENT, "NOTIFY_SOCKET": f"@vmwright-{token}", **marked(token)},
            )
            life = Life(running, notices)
            yield life
        finally:
            loop.remove_reader(notices)
            if life:
                await life.end()
            ledger.release(claim)


async def remove_container(name: str) -> None:
    """Kill the container in the cgroup ``name``, remove that and what nspawn has left in the host's /run.

    Needs nothing but the name and may be called again: it also clears up after a crash. systemd-nspawn
    itself, and the container's network, must be ended before.
    """
    await cgroup.remove(name)
    for parent in HOST_FOLDERS:
        with contextlib.suppress(FileNotFoundError):
            Path(parent, name).rmdir()  # what was mounted on it was so in the disk's namespace


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


async def _became_init(leader: int, running: Running) -> None:
    """Wait until a leader runs the image's init: until then its namespaces may refuse visitors."""
    while running.returncode is None:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{leader}/exe").readlink().name != PROGRAM:
                return
        await asyncio.sleep(POLL_SECONDS)  # this last moment has no notice
