"""The network of a container, by what it is to reach: pasta's, a bridge of the host, or none.

The guest's own programs configure a bridge's address, told for this boot only: nothing is left on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.errors import MachineError
from vmwright.machines import pasta
from vmwright.machines.bridge import require_bridge
from vmwright.machines.netns import Namespace
from vmwright.machines.network import NetworkMode
from vmwright.machines.passt import nameservers
from vmwright.machines.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.network import Network
    from vmwright.process import Running
    from vmwright.state.resources import Ledger

INTERFACE = "host0"  # systemd-nspawn's name for it
ADDRESS_SECONDS = 60.0
POLL_SECONDS = 0.1
HEADING_LINES = 2  # of /proc/PID/net/dev

ASK_FOR_ADDRESS = rf"""
set -e
if command -v nmcli >/dev/null 2>&1 && systemctl --quiet is-active NetworkManager.service; then
    nmcli device set {INTERFACE} managed yes
    nmcli --wait 50 device connect {INTERFACE}
elif [ -x /usr/lib/systemd/systemd-networkd ] || [ -x /lib/systemd/systemd-networkd ]; then
    mkdir -p /run/systemd/network
    printf '[Match]\nName={INTERFACE}\n[Network]\nDHCP=yes\n' > /run/systemd/network/10-vmwright.network
    systemctl restart systemd-networkd.service
elif command -v dhclient >/dev/null 2>&1; then
    dhclient -lf /run/vmwright.leases -pf /run/vmwright-dhclient.pid {INTERFACE}
else
    echo 'the image has none of NetworkManager, systemd-networkd and dhclient' >&2
    exit 1
fi
"""
LEASED_SERVERS = "sed -n s/^DNS=//p /run/systemd/netif/leases/*"


def received_bytes(leader: int) -> int | None:
    """Return what the interfaces of a process's network have received, but for its own; None: it is gone.

    :param leader: a container's init.
    """
    try:
        lines = Path(f"/proc/{leader}/net/dev").read_text().splitlines()[HEADING_LINES:]
    except OSError:
        return None
    counts = (line.partition(":") for line in lines)
    return sum(int(fields.split()[0]) for name, _, fields in counts if name.strip() != "lo")


class ContainerNetwork:
    """A container's network in each of its lives."""

    def __init__(self, network: Network, guest: LinuxGuest, *, log: Path, ledger: Ledger) -> None:
        self._network = network
        self._guest = guest
        self._log = log
        self._ledger = ledger
        self._servers: tuple[str, ...] = (pasta.NAME_SERVER,) if network.mode is NetworkMode.USER else ()
        self._leader = 0
        self._resolver = Resolver(guest)
        self.pasta: Running | None = None

    def options(self) -> tuple[str, ...]:
        """Return systemd-nspawn's options.

        :raises MachineError: the bridge cannot be used.
        """
        if bridge := self._network.bridge:
            require_bridge(bridge)
            return (f"--network-bridge={bridge}",)
        return ("--private-network",)

    @contextlib.asynccontextmanager
    async def connected(self, leader: int) -> AsyncIterator[None]:
        """Connect the present life of the container, whose init is ``leader``, while the block runs."""
        self._leader = leader
        if self._network.mode is not NetworkMode.USER:
            yield
            return
        try:
            async with pasta.connected(leader, log=self._log, ledger=self._ledger) as self.pasta:
                yield
        finally:
            self.pasta = None

    async def prepare(self) -> None:
        """Tell the guest, while it boots, what it needs not be asked for later."""
        if self._servers:
            await self._resolver.tell(self._servers)

    async def configure(self) -> None:
        """Let the booted guest have its address and its name servers.

        :raises MachineError: it gets no address.
        """
        if self._network.mode is NetworkMode.BRIDGE:
            await self._ask_for_address(Namespace(self._leader))
            leased = (await self._guest.ask("sh", "-c", LEASED_SERVERS, check=False)).stdout.decode().split()
            self._servers = tuple(leased) or nameservers()
        if self._servers:
            await self._resolver.set(self._servers, self._leader)

    async def leave_resolver(self) -> None:
        """Put the image's own resolv.conf back for a moment, or for good."""
        await self._resolver.leave()

    async def keep_resolver(self) -> None:
        """Go on after ``leave_resolver``, also where a step has changed what the guest resolves names by."""
        if self._servers and not self._resolver.holds():
            await self._resolver.set(self._servers, self._leader)

    async def _ask_for_address(self, namespace: Namespace) -> None:
        asked = await self._guest.ask("sh", "-c", ASK_FOR_ADDRESS, as_root=True, check=False)
        if asked.exit_code == 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ADDRESS_SECONDS):
                    while True:
                        if namespace.is_connected(INTERFACE):
                            return
                        await asyncio.sleep(POLL_SECONDS)
        said = (
            asked.stderr.decode(errors="replace").strip() or f"none came within {ADDRESS_SECONDS:g} seconds"
        )
        raise MachineError(
            f"The guest gets no address on the bridge {self._network.bridge}: {said}",
            hint="the bridge's network needs a DHCP server",
        )
