"""The network of a virtual machine, from the host's ports to the guest's device.

    host's 127.0.0.1:PORT - pasta - namespace - passt - QEMU - guest

The namespace is where vmwright itself can answer the guest (``Namespace.listen``), and where the way out is
cut off. Where this host cannot make one, passt runs on the host's own network instead.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.errors import MachineError
from vmwright.machines import netns, pasta
from vmwright.machines.netns import Namespace
from vmwright.machines.network import NetworkMode
from vmwright.machines.passt import (
    ATTEMPTS,
    PLAIN,
    Forward,
    nameservers,
    require_free,
    start_passt,
    start_passt_inside,
    with_ports,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.machines.network import Network
    from vmwright.machines.passt import GuestAddresses
    from vmwright.process import Running

# ports of the namespace that stand between pasta's and passt's
FIRST_DOOR = 61001
IPV6_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VmNetwork:
    """What a virtual machine is attached to.

    :param forwards: ports of the host and of the guest; 0 where passt is to find a free one.
    :param namespace: where vmwright can answer the guest, None where this host cannot make one.
    :param servers: the guest's name servers; ``pasta``: what connects the namespace.
    :param restricted: the guest is cut off from all but vmwright before it starts.
    """

    forwards: tuple[Forward, ...]
    namespace: Namespace | None
    servers: tuple[str, ...]
    pasta: Running | None = None
    restricted: bool = False

    async def start_passt(
        self, device: socket.socket, *, log: Path, token: str, addresses: GuestAddresses = PLAIN
    ) -> tuple[Running, tuple[Forward, ...]]:
        """Start passt for QEMU's network device; return it and the forwards with their ports of the host.

        :raises MachineError: it does not start, or a port is in use.
        """
        if self.namespace is None:
            return await start_passt(device, self.forwards, log=log, token=token, addresses=addresses)
        running = await start_passt_inside(
            self.namespace,
            device,
            _doors(self.forwards),
            nameservers=self.servers,
            log=log,
            token=token,
            addresses=addresses,
        )
        if self.restricted:
            await self.namespace.cut_off()  # not before, for passt does not start without a way out
        return running, self.forwards


@contextlib.asynccontextmanager
async def vm_network(
    network: Network, forwards: Sequence[Forward], *, log: Path, token: str, events: Events
) -> AsyncIterator[VmNetwork]:
    """Make a virtual machine's network for as long as the block runs.

    :param token: of a claim in the ledger that the programs carry.
    :raises MachineError: it cannot be made; a port is in use.
    """
    restricted = network.mode is NetworkMode.RESTRICTED
    if reason := await netns.obstacle():
        if restricted:
            raise MachineError(
                f"The guest cannot be cut off from the network: {reason}", hint="vmwright doctor"
            )
        events.note(f"The guest shares the host's own network: {reason}")
        if not nameservers():
            events.warn("This host's name server listens on loopback only: the guest has no DNS")
        servers = name_servers(network, has_namespace=False)
        yield VmNetwork(forwards=tuple(forwards), namespace=None, servers=servers)
        return
    require_free(forwards)
    async with contextlib.AsyncExitStack() as stack:
        namespace = await stack.enter_async_context(netns.own_namespace(log=log, token=token))
        await namespace.refuse(netns.CLOUDS)
        running, given = await _connect(stack, namespace, forwards, log=log, token=token)
        yield VmNetwork(
            forwards=given,
            namespace=namespace,
            servers=name_servers(network, has_namespace=True),
            pasta=running,
            restricted=restricted,
        )


def name_servers(network: Network, *, has_namespace: bool) -> tuple[str, ...]:
    """Return the name servers that a guest is told of; ``has_namespace``: this host can make it one."""
    if network.mode is NetworkMode.RESTRICTED:
        return ()
    return (_reachable() or (pasta.NAME_SERVER,)) if has_namespace else nameservers()


def has_ipv6() -> bool:
    """Return whether this host reaches others by IPv6, and so will a guest."""
    return Namespace(os.getpid()).has_ipv6()


async def _connect(
    stack: contextlib.AsyncExitStack,
    namespace: Namespace,
    forwards: Sequence[Forward],
    *,
    log: Path,
    token: str,
) -> tuple[Running, tuple[Forward, ...]]:
    """Run pasta until the stack is closed; with other ports where somebody took one at the last moment."""
    attempt = 0
    while True:
        attempt += 1
        given = with_ports(forwards)
        doors = [
            Forward(forward.host_port, door.host_port)
            for forward, door in zip(given, _doors(given), strict=True)
        ]
        arguments = pasta.room_arguments(
            namespace.pid, doors, root=os.geteuid() == 0, forwards_names=not _reachable()
        )
        try:
            running = await stack.enter_async_context(
                pasta.running_pasta(arguments, namespace.pid, log=log, token=token)
            )
        except MachineError:
            if attempt == ATTEMPTS:
                raise
            continue
        if has_ipv6():
            # set last, or not at all where the host has the route only: passt takes what is there
            await running.is_ready(namespace.has_ipv6, within=IPV6_SECONDS)
        return running, given


def _reachable() -> tuple[str, ...]:
    """Return the host's name servers but Azure's own, which is at the address of the wireserver."""
    return tuple(server for server in nameservers() if server not in netns.CLOUDS)


def _doors(forwards: Sequence[Forward]) -> list[Forward]:
    return [Forward(FIRST_DOOR + index, forward.guest_port) for index, forward in enumerate(forwards)]
