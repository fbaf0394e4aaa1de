"""The network device of a virtual machine: passt, which carries its connections out and takes no privilege.

QEMU's own user network would do, but it lets the guest reach every service on the host's loopback
interface (as 10.0.2.2), and QEMU has no switch for that; ``passt --no-map-gw`` closes it.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.errors import MachineError
from vmwright.marks import marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmwright.machines.netns import Namespace
    from vmwright.process import Running

LOOPBACK = "127.0.0.1"
# systemd-resolved writes the servers behind its loopback stub into the second
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
HINT = "apt-get install passt"
NOISE = "Failed to send "  # of each line also to a syslog that need not be there
ATTEMPTS = 5
MOST_NAMESERVERS = 3


@dataclass(frozen=True, slots=True)
class Forward:
    """A TCP port of the guest that answers at a port of the host's loopback interface (0: any free one)."""

    host_port: int
    guest_port: int


@dataclass(frozen=True, slots=True)
class GuestAddresses:
    """What the guest is told by DHCP.

    A gateway outside the guest's subnet is sent with a host route to it (option 121).
    """

    address: str = "10.0.2.15"
    prefix: str = "24"
    gateway: str = "10.0.2.2"


PLAIN = GuestAddresses()


def passt_arguments(
    device: int,
    ports: Iterable[str],
    *,
    addresses: GuestAddresses,
    nameservers: Iterable[str],
    root: bool,
) -> list[str]:
    """Return passt's command line.

    :param device: the open socket to QEMU's network device.
    :param ports: what to forward, as ``[ADDRESS/]PORT:GUEST_PORT``.
    :param root: it runs as root, of the host or of a user namespace.
    """
    # one option each: of several ports in one, passt is content with any that it gets
    return [
        "passt",
        "--foreground",
        *("--fd", str(device)),
        *(("--runas", "0") if root else ()),
        "--no-map-gw",
        *("--address", addresses.address, "--netmask", addresses.prefix, "--gateway", addresses.gateway),
        *(argument for server in tuple(nameservers) or ("none",) for argument in ("--dns", server)),
        *(argument for port in ports for argument in ("--tcp-ports", port)),
        *("--udp-ports", "none"),
    ]


def nameservers(files: Iterable[Path] = RESOLVER_FILES) -> tuple[str, ...]:
    """Return the host's name servers that a guest can reach: those on loopback are the host's alone."""
    found: dict[str, None] = {}
    for file in files:
        with contextlib.suppress(OSError):
            for line in file.read_text(errors="replace").splitlines():
                match line.split():
                    case ["nameserver", server, *_] if _reachable(server):
                        found[server] = None
    return tuple(found)[:MOST_NAMESERVERS]


async def start_passt(
    device: socket.socket,
    forwards: Sequence[Forward],
    *,
    log: Path,
    token: str,
    addresses: GuestAddresses = PLAIN,
) -> tuple[Running, tuple[Forward, ...]]:
    """Start passt on the host's own network; return it and ``forwards`` with the host ports that it has got.

    :raises MachineError: a port is in use, or passt does not start; its own words are in the message.
    """
    require_free(forwards)
    for _ in range(ATTEMPTS):
        given = with_ports(forwards)
        arguments = passt_arguments(
            device.fileno(),
            [f"{LOOPBACK}/{forward.host_port}:{forward.guest_port}" for forward in given],
            addresses=addresses,
            nameservers=nameservers(),
            root=os.geteuid() == 0,
        )
        running = await _start(arguments, device, log=log, token=token)
        if await running.is_ready(functools.partial(_answers, given[-1].host_port)):
            return running, given
        await running.end()
    raise failure("passt", running)


async def start_passt_inside(
    namespace: Namespace,
    device: socket.socket,
    forwards: Sequence[Forward],
    *,
    nameservers: Iterable[str],
    log: Path,
    token: str,
    addresses: GuestAddresses = PLAIN,
) -> Running:
    """Start passt in a namespace that is connected; ``host_port`` of a forward is a port in there.

    :raises MachineError: passt does not start; its own words are in the message.
    """
    arguments = passt_arguments(
        device.fileno(),
        # at any address: which one pasta connects to is not the same in all its versions
        [f"{forward.host_port}:{forward.guest_port}" for forward in forwards],
        addresses=addresses,
        nameservers=nameservers,
        root=True,
    )
    running = await _start([*namespace.enter, *arguments], device, log=log, token=token)
    if await running.is_ready(functools.partial(namespace.listens, forwards[-1].host_port)):
        return running
    await running.end()
    raise failure("passt", running)


async def _start(arguments: Sequence[str], device: socket.socket, *, log: Path, token: str) -> Running:
    return await process.start(arguments, log=log, env=marked(token), pass_fds=(device.fileno(),), hint=HINT)


def failure(program: str, running: Running) -> MachineError:
    """Return the error that tells in the program's own words why a network does not start."""
    said = "\n".join(line for line in running.last_lines(40).splitlines() if not line.startswith(NOISE))
    return MachineError(
        f"{program}, the network of the machine, does not start:\n{said}",
        hint="it refuses a host without any route to a network",
    )


def with_ports(forwards: Iterable[Forward]) -> tuple[Forward, ...]:
    """Return forwards with a free port of the host where any would do."""
    return tuple(Forward(forward.host_port or free_port(), forward.guest_port) for forward in forwards)


def free_port() -> int:
    """Return a port of the loopback interface that is free now; if it is taken by then, passt refuses."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free(forwards: Iterable[Forward]) -> None:
    """Refuse ports of the host that are in use.

    :raises MachineError: naming the port.
    """
    for forward in forwards:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, forward.host_port))
            except OSError as error:
                raise MachineError(
                    f"Port {forward.host_port} of this host cannot be forwarded to the guest: "
                    f"{error.strerror}",
                    hint="name another port",
                ) from None


def _answers(port: int) -> bool:
    """Whether a port of the loopback interface accepts connections."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _reachable(server: str) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)
