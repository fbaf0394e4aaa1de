"""A container cut off, a container on a bridge of this host, and finding what is on a bridge."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmwright import process
from vmwright.disks.qemu_img import DiskFormat, create_overlay
from vmwright.errors import MachineError
from vmwright.events import Events
from vmwright.machines import bridge
from vmwright.machines.container import ContainerMachine
from vmwright.machines.machine import MachineSpec
from vmwright.machines.network import Network, NetworkMode
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from vmwright.guests.linux import LinuxGuest

pytestmark = pytest.mark.machine

MASK = "255.255.255.0"
CONNECT = "timeout 20 bash -c 'echo > /dev/tcp/{}/{}'"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield Ledger(database)
    database.close()


@dataclass(frozen=True)
class Bridge:
    """A bridge of this host, this host's address on it and the one that a guest is to have."""

    name: str
    host: str
    guest: str


async def ip(*arguments: str) -> None:
    await process.run(["ip", *arguments], timeout=30)


@contextlib.asynccontextmanager
async def a_bridge() -> AsyncIterator[Bridge]:
    """Make one in the range for tests of networks, where two at a time hardly meet."""
    subnet = f"198.18.{secrets.randbelow(256)}"
    own = Bridge(f"vmwt{secrets.token_hex(3)}", f"{subnet}.1", f"{subnet}.77")
    name = own.name
    await ip("link", "add", name, "type", "bridge")
    try:
        await ip("address", "add", f"{own.host}/24", "dev", name)
        await ip("link", "set", name, "up")
        yield own
    finally:
        await ip("link", "delete", name)


@contextlib.asynccontextmanager
async def dhcp_server(own: Bridge) -> AsyncIterator[None]:
    """Offer every client on the bridge the one address, with this host as router and name server."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, _: object) -> None:
            if answer := dhcp_answer(data, own):
                sock.sendto(answer, ("255.255.255.255", 68))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, own.name.encode())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.bind(("", 67))
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, sock=sock)
        try:
            yield
        finally:
            transport.close()


def dhcp_answer(request: bytes, own: Bridge) -> bytes | None:
    options, rest = {}, request[240:]
    while rest and rest[0] != 255:
        code, size = rest[0], rest[1]
        options[code], rest = rest[2 : 2 + size], rest[2 + size :]
    answers = {DISCOVER: OFFER, REQUEST: ACK}
    kind = answers.get(options.get(53, b"\0")[0])
    if kind is None:
        return None
    host, guest = socket.inet_aton(own.host), socket.inet_aton(own.guest)
    head = struct.pack("!4B4s2H4s4s4s4s", 2, 1, 6, 0, request[4:8], 0, 0, bytes(4), guest, host, bytes(4))
    told = [(53, bytes([kind])), (54, host), (51, struct.pack("!I", 3600)), (1, socket.inet_aton(MASK))]
    told += [(3, host), (6, host)]
    body = b"".join(bytes([code, len(value)]) + value for code, value in told)
    return head + request[28:44] + bytes(192) + b"\x63\x82\x53\x63" + body + b"\xff"


@contextlib.asynccontextmanager
async def container(
    disk: Path, folder: Path, ledger: Ledger, network: Network
) -> AsyncIterator[tuple[ContainerMachine, LinuxGuest]]:
    overlay = folder / "disk.qcow2"
    await create_overlay(overlay, backing=disk, backing_format=DiskFormat.QCOW2)
    spec = MachineSpec(
        name=f"vwnet-{os.getpid()}",
        folder=folder,
        cpus=1,
        memory_mib=1024,
        generation=Generation.V1,
        network=network,
    )
    machine = ContainerMachine(spec, ledger, Events())
    try:
        yield machine, await machine.start(overlay)
    finally:
        await machine.destroy()


async def text(guest: LinuxGuest, command: str) -> str:
    return (await guest.ask("bash", "-c", command, as_root=True)).stdout.decode().strip()


async def succeeds(guest: LinuxGuest, command: str) -> bool:
    return (await guest.ask("bash", "-c", command, as_root=True, check=False)).exit_code == 0


async def test_a_restricted_container_has_no_way_out(
    debian_disk: Path, tmp_path: Path, ledger: Ledger
) -> None:
    network = Network(NetworkMode.RESTRICTED)
    async with container(debian_disk, tmp_path, ledger, network) as (machine, guest):
        assert await text(guest, "ls /sys/class/net") == "lo"
        with socket.create_server(("", 0)) as server:
            port = server.getsockname()[1]
            for address in ("127.0.0.1", "192.0.2.1", "169.254.1.1"):
                assert not await succeeds(guest, CONNECT.format(address, port))
        assert await text(guest, "sudo -n id -u") == "0"
        before = await text(guest, "cat /etc/resolv.conf; true")
        await machine.checkpoint(tmp_path / "layer.qcow2")
        assert await text(guest, "cat /etc/resolv.conf; true") == before
        await machine.power_off()


async def test_a_container_on_a_bridge_has_an_address_there_also_after_a_restart(
    debian_disk: Path, tmp_path: Path, ledger: Ledger
) -> None:
    async with a_bridge() as own, dhcp_server(own):
        network = Network(NetworkMode.BRIDGE, own.name)
        async with container(debian_disk, tmp_path, ledger, network) as (machine, guest):
            for restart in (True, False):
                assert own.guest in await text(guest, "ip -4 -o address show host0")
                assert own.host in await text(guest, "resolvectl dns")
                with socket.create_server((own.host, 0)) as server:
                    assert await succeeds(guest, CONNECT.format(own.host, server.getsockname()[1]))
                with socket.create_server(("127.0.0.1", 0)) as server:
                    assert not await succeeds(guest, CONNECT.format(own.host, server.getsockname()[1]))
                if restart:
                    assert await guest.run("sudo reboot; sleep 60", sink=lambda *_: None) is None
                    assert await machine.settle(timeout=120)
            await machine.checkpoint(tmp_path / "layer.qcow2")
            await machine.power_off()
        ports = (await process.run(["ip", "-o", "link", "show", "master", own.name], timeout=30)).text
        assert ports == ""


async def test_a_bridge_that_is_not_there_is_said(debian_disk: Path, tmp_path: Path, ledger: Ledger) -> None:
    network = Network(NetworkMode.BRIDGE, "nobridge")
    with pytest.raises(MachineError, match="bridge nobridge: the interface nobridge is not there"):
        async with container(debian_disk, tmp_path, ledger, network):
            pass
    assert bridge.obstacle("lo") == "the interface lo is no bridge"


async def test_a_guest_on_a_bridge_is_found_by_its_mac_address() -> None:
    """A namespace with one end of a cable stands in for the guest; sshd's part is played by a listener."""
    mac = bridge.new_mac()
    async with a_bridge() as own, a_neighbour(own.name, mac) as enter:
        name = own.name
        server = await asyncio.create_subprocess_exec(
            *enter, "python3", "-c", "import socket; socket.create_server(('::', 22), family=10).accept()"
        )
        try:
            found = await bridge.find_guest(name, mac, 22, lost=lambda: None, timeout=60)
            assert found.endswith(f"%{name}")
        finally:
            server.kill()
            await server.wait()
        other = bridge.new_mac()
        with pytest.raises(MachineError, match=rf"{other}.* shows no address on the bridge {name}"):
            await bridge.find_guest(name, other, 22, lost=lambda: None, timeout=3)
        with pytest.raises(MachineError, match="does not answer at port 22"):
            await bridge.find_guest(name, mac, 22, lost=lambda: None, timeout=3)
        with pytest.raises(MachineError, match="gone"):
            await bridge.find_guest(name, mac, 22, lost=lambda: MachineError("gone"), timeout=60)


@contextlib.asynccontextmanager
async def a_neighbour(name: str, mac: str) -> AsyncIterator[tuple[str, ...]]:
    holder = await asyncio.create_subprocess_exec("unshare", "--net", "sleep", "infinity")
    try:
        own = Path(f"/proc/{holder.pid}/ns/net")
        while own.samefile("/proc/self/ns/net"):
            await asyncio.sleep(0.01)
        enter = ("nsenter", "--target", str(holder.pid), "--net")
        port = f"{name}p"
        peer = ("peer", "name", "eth0", "address", mac, "netns", str(holder.pid))
        await ip("link", "add", port, "type", "veth", *peer)
        await ip("link", "set", port, "master", name, "up")
        await process.run([*enter, "ip", "link", "set", "eth0", "up"], timeout=30)
        yield enter
    finally:
        holder.kill()
        await holder.wait()


async def test_a_tap_device_is_on_the_bridge_as_long_as_it_is_open() -> None:
    async with a_bridge() as own:
        tap = await bridge.open_tap(own.name)
        shown = ["ip", "-o", "link", "show", "master", own.name]
        assert "vmwright-" in (await process.run(shown, timeout=30)).text
        os.close(tap)
        assert (await process.run(shown, timeout=30)).text == ""
        with pytest.raises(MachineError, match="not there"):
            await bridge.open_tap("nobridge")
