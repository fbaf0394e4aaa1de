"""A machine on a bridge of the host: the tap device of a virtual machine, and where its guest is found.

A bridge is the operator's own; nothing about it is changed. A tap device needs no clearing up: the kernel
removes it when the last process that has it open ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.errors import MachineError
from vmwright.machines.netns import TUN

if TYPE_CHECKING:
    from collections.abc import Callable

INTERFACES = Path("/sys/class/net")
# of linux/if_tun.h
SET_INTERFACE = 0x400454CA
TAP, NO_HEADER, VIRTIO_HEADER = 0x0002, 0x1000, 0x4000
REQUEST = "16sH22x"
ECHO_REQUEST = bytes([128, 0, 0, 0, 0, 1, 0, 1])  # the kernel adds the checksum
ALL_NODES = "ff02::1"
LINK_LOCAL = "fe80:"
STEP_SECONDS = 20.0
LOOK_SECONDS = 1.0
KNOCK_SECONDS = 2.0


def obstacle(bridge: str) -> str | None:
    """Return why machines cannot be put on a bridge of this host, or None where they can."""
    if os.geteuid() != 0:
        return "a machine is put on a bridge by root only"
    if not (INTERFACES / bridge / "bridge").is_dir():
        what = "no bridge" if (INTERFACES / bridge).exists() else "not there"
        return f"the interface {bridge} is {what}"
    if process.which("ip") is None:
        return "ip is not installed (package iproute2)"
    return None


def require_bridge(bridge: str) -> None:
    """Refuse a bridge on which machines cannot be put.

    :raises MachineError: with the reason.
    """
    if reason := obstacle(bridge):
        raise MachineError(f"The guest cannot be put on the bridge {bridge}: {reason}")


def new_mac() -> str:
    """Return an address for a guest's network device, in QEMU's range: on a bridge no two may be equal."""
    return ":".join(["52:54:00", *(f"{byte:02x}" for byte in secrets.token_bytes(3))])


async def open_tap(bridge: str) -> int:
    """Make a tap device on a bridge and return its open file, for QEMU.

    :raises MachineError: the host refuses it.
    """
    require_bridge(bridge)
    name = f"vmwright-{secrets.token_hex(3)}"
    try:
        tap = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.ExitStack() as unless_done:
            unless_done.callback(os.close, tap)
            fcntl.ioctl(
                tap, SET_INTERFACE, struct.pack(REQUEST, name.encode(), TAP | NO_HEADER | VIRTIO_HEADER)
            )
            await process.run(["ip", "link", "set", name, "master", bridge, "up"], timeout=STEP_SECONDS)
            unless_done.pop_all()
    except OSError as error:
        raise MachineError(f"No tap device can be made: {error}", hint=f"is {TUN} there?") from None
    return tap


async def find_guest(
    bridge: str, mac: str, port: int, *, lost: Callable[[], MachineError | None], timeout: float
) -> str:
    """Wait until a guest answers at a TCP port; return its address (IPv6 link-local ones with their scope).

    It is known by its MAC address: from the host's table of neighbours, into which an echo request to all
    nodes brings every guest with IPv6, and one with IPv4 that has asked this host for its address.

    :param lost: returns the error to raise where the machine is gone.
    :raises MachineError: it was not found within ``timeout`` seconds.
    """
    seen: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while True:
                if error := lost():
                    raise error
                _call_all(bridge)
                seen = await _addresses(bridge, mac)
                for address in seen:
                    if await _knock(address, port):
                        return address
                await asyncio.sleep(LOOK_SECONDS)
    found = f"has {' and '.join(seen)}, but does not answer at port {port}" if seen else "shows no address"
    raise MachineError(
        f"The guest ({mac}) {found} on the bridge {bridge}, for {timeout:g} seconds",
        hint="the bridge's network needs a DHCP server; this host finds a guest by IPv6 on the bridge, or by "
        "IPv4 where it serves the addresses itself",
    )


def _call_all(bridge: str) -> None:
    with (
        contextlib.suppress(OSError),  # no IPv6 on this bridge
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as caller,
    ):
        caller.sendto(ECHO_REQUEST, (ALL_NODES, 0, 0, socket.if_nametoindex(bridge)))


async def _addresses(bridge: str, mac: str) -> list[str]:
    listed = await process.run(
        ["ip", "-json", "neighbor", "show", "dev", bridge], timeout=STEP_SECONDS, check=False
    )
    found = [str(entry["dst"]) for entry in json.loads(listed.stdout or b"[]") if entry.get("lladdr") == mac]
    return [f"{address}%{bridge}" if address.startswith(LINK_LOCAL) else address for address in found]


async def _knock(address: str, port: int) -> bool:
    with contextlib.suppress(OSError):  # a time-out among them
        async with asyncio.timeout(KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
        writer.close()
        return True
    return False
