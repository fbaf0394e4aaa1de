"""The network of a virtual machine: passt, which gives one guest the host's network and takes no privilege.

QEMU's own user network would do, but it lets the guest reach every service on the host's loopback
interface (as 10.0.2.2), and QEMU has no switch for that; ``passt --no-map-gw`` closes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmwright.process import Running

ADDRESS, GATEWAY, PREFIX = "10.0.2.15", "10.0.2.2", "24"
LOOPBACK = "127.0.0.1"
# systemd-resolved writes the servers behind its loopback stub into the second
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
HINT = "apt-get install passt"
LISTEN_SECONDS = 5.0
ATTEMPTS = 5
MOST_NAMESERVERS = 3


@dataclass(frozen=True, slots=True)
class Forward:
    """A TCP port of the guest that answers at a port of the host's loopback interface (0: any free one)."""

    host_port: int
    guest_port: int


def passt_arguments(
    device: int, forwards: Iterable[Forward], *, nameservers: Iterable[str], root: bool
) -> list[str]:
    """Return passt's command line; ``device`` is the open socket to QEMU's network device."""
    # one option each: of several ports in one, passt is content with any that it gets
    ports = [f"{LOOPBACK}/{forward.host_port}:{forward.guest_port}" for forward in forwards]
    return [
        "passt",
        "--foreground",
        "--fd",
        str(device),
        *(("--runas", "0") if root else ()),
        "--no-map-gw",
        *("--address", ADDRESS, "--netmask", PREFIX, "--gateway", GATEWAY),
        *(argument for server in nameservers for argument in ("--dns", server)),
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
    device: socket.socket, forwards: Sequence[Forward], *, log: Path, token: str
) -> tuple[Running, tuple[Forward, ...]]:
    """Start passt; return it and ``forwards`` with the host ports that it has got.

    :raises MachineError: a port is in use, or passt does not start; its own words are in the message.
    """
    for forward in forwards:
        _require_free(forward.host_port)
    for _ in range(ATTEMPTS):
        given = tuple(Forward(forward.host_port or free_port(), forward.guest_port) for forward in forwards)
        arguments = passt_arguments(device.fileno(), given, nameservers=nameservers(), root=os.geteuid() == 0)
        running = await process.start(
            arguments,
            log=log,
            env=process.marked(token),
            pass_fds=(device.fileno(),),
            hint=HINT,
        )
        if await _listens(running, given[-1].host_port):
            return running, given
        await running.end()
    raise MachineError(
        f"passt, the network of the machine, does not start:\n{running.last_lines()}",
        hint="it refuses a host without any route to a network",
    )


def free_port() -> int:
    """Return a port of the loopback interface that is free now; if it is taken by then, passt refuses."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise MachineError(
                f"Port {port} of this host cannot be forwarded to the guest: {error.strerror}",
                hint="name another port",
            ) from None


async def _listens(running: Running, port: int) -> bool:
    """Wait until passt has its ports, which is when it accepts; False where it has ended instead."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LISTEN_SECONDS):
            while running.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(LOOPBACK, port)
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                return running.returncode is None
    return False


def _reachable(server: str) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)
