"""The namespace between a guest and the host, made for real, without a guest in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmwright import process
from vmwright.errors import MachineError
from vmwright.events import Events, Notice
from vmwright.machines import netns
from vmwright.machines.network import USER, Network, NetworkMode
from vmwright.machines.passt import Forward, GuestAddresses, free_port
from vmwright.machines.vm_network import FIRST_DOOR, vm_network
from vmwright.marks import kill_marked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.machines.netns import Namespace
    from vmwright.machines.vm_network import VmNetwork

pytestmark = pytest.mark.machine

WIRESERVER, METADATA = "168.63.129.16", "169.254.169.254"
RESTRICTED = Network(NetworkMode.RESTRICTED)
# prints what it is greeted with, or why it cannot connect
VISIT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as connection:
        print(connection.recv(100).decode())
except OSError as error:
    print(type(error).__name__)
"""


async def visit(address: str, port: int, *, enter: tuple[str, ...] = ()) -> str:
    command = [*enter, sys.executable, "-I", "-S", "-c", VISIT, address, str(port)]
    return (await process.run(command, timeout=30)).text


@contextlib.asynccontextmanager
async def greeting(sock: socket.socket, words: str) -> AsyncIterator[int]:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words.encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, sock=sock) as server:
        yield server.sockets[0].getsockname()[1]


def a_socket(address: str) -> socket.socket:
    return socket.create_server((address, 0))


def the_hosts_address() -> str:
    """The host's own address, as its default route chooses it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@contextlib.asynccontextmanager
async def made(
    folder: Path, *forwards: Forward, network: Network = USER
) -> AsyncIterator[tuple[VmNetwork, Namespace]]:
    log = folder / "log"
    async with vm_network(network, forwards, log=log, token=uuid.uuid4().hex, events=Events()) as made:
        assert made.namespace, await netns.obstacle()
        yield made, made.namespace


@contextlib.asynccontextmanager
async def passt_in(network: VmNetwork, folder: Path) -> AsyncIterator[tuple[Forward, ...]]:
    ours, qemus = socket.socketpair()
    with ours, qemus:
        running, forwards = await network.start_passt(
            ours, log=folder / "log", token="test", addresses=GuestAddresses(gateway=WIRESERVER)
        )
        try:
            yield forwards
        finally:
            await running.end()


async def test_vmwright_answers_in_it_and_nowhere_else(tmp_path: Path) -> None:
    async with made(tmp_path, Forward(0, 22)) as (_, namespace):
        wire = await namespace.listen(WIRESERVER, 80)
        metadata = await namespace.listen(METADATA, 80)
        async with greeting(wire, "wire") as port, greeting(metadata, "metadata"):
            assert await visit(WIRESERVER, port, enter=namespace.enter) == "wire"
            assert await visit(METADATA, port, enter=namespace.enter) == "metadata"
            assert await visit(METADATA, 81, enter=namespace.enter) == "ConnectionRefusedError"
            here = socket.socket()
            with here, pytest.raises(OSError, match="assign"):
                here.bind((WIRESERVER, port))


async def test_the_metadata_of_a_cloud_that_this_host_is_in_is_out_of_reach(tmp_path: Path) -> None:
    async with made(tmp_path, Forward(0, 22)) as (_, namespace):
        for address in (METADATA, WIRESERVER, "100.100.100.200"):
            assert await visit(address, 80, enter=namespace.enter) == "ConnectionRefusedError"


async def test_the_name_server_of_azure_is_asked_by_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmwright.machines.vm_network.nameservers", lambda: (WIRESERVER,))
    async with made(tmp_path, Forward(0, 22)) as (network, _):
        assert network.servers == ("169.254.1.1",)


async def test_it_reaches_the_network_but_not_the_hosts_loopback(tmp_path: Path) -> None:
    async with made(tmp_path, Forward(0, 22)) as (_, namespace):
        address = the_hosts_address()
        async with greeting(a_socket(address), "host") as port:
            assert await visit(address, port, enter=namespace.enter) == "host"
        async with greeting(a_socket("127.0.0.1"), "secret") as port:
            assert await visit("127.0.0.1", port) == "secret"
            for hidden in ("127.0.0.1", "127.0.0.5", "192.0.0.1", "192.0.0.2"):
                assert "secret" not in await visit(hidden, port, enter=namespace.enter)


async def test_restricted_it_refuses_at_once_all_but_vmwright(tmp_path: Path) -> None:
    async with made(tmp_path, Forward(0, 22), network=RESTRICTED) as (network, namespace):
        assert network.servers == ()
        wire = await namespace.listen(WIRESERVER, 80)
        async with passt_in(network, tmp_path) as (ssh,), greeting(wire, "wire"):
            address = the_hosts_address()
            async with greeting(a_socket(address), "host") as port:
                assert await visit(address, port, enter=namespace.enter) == "ConnectionRefusedError"
            assert await visit("192.0.2.1", 80, enter=namespace.enter) == "ConnectionRefusedError"
            assert await visit("2001:db8::1", 80, enter=namespace.enter) in {
                "ConnectionRefusedError",
                "OSError",  # a host without IPv6
            }
            assert await visit(WIRESERVER, 80, enter=namespace.enter) == "wire"
            _, writer = await asyncio.open_connection("127.0.0.1", ssh.host_port)
            writer.close()


async def test_ports_of_the_hosts_loopback_lead_to_its_doors_and_are_free_afterwards(tmp_path: Path) -> None:
    wanted = free_port()
    async with made(tmp_path, Forward(0, 22), Forward(wanted, 80)) as (network, namespace):
        ssh, web = network.forwards
        assert ssh.host_port not in {0, wanted}
        assert (ssh.guest_port, web) == (22, Forward(wanted, 80))
        # pasta connects to one of them, which one depends on its version
        doors = [await namespace.listen(address, FIRST_DOOR + 1) for address in ("127.0.0.1", "192.0.0.2")]
        async with greeting(doors[0], "web"), greeting(doors[1], "web"):
            assert await visit("127.0.0.1", wanted) == "web"
            assert namespace.listens(FIRST_DOOR + 1)
        assert not namespace.listens(FIRST_DOOR)
    socket.create_server(("127.0.0.1", wanted)).close()
    assert not Path(f"/proc/{namespace.pid}").exists()


async def test_passt_starts_in_it_and_ends_with_its_guest(tmp_path: Path) -> None:
    async with made(tmp_path, Forward(0, 22), Forward(0, 80)) as (network, namespace):
        ours, qemus = socket.socketpair()
        with ours:
            running, forwards = await network.start_passt(ours, log=tmp_path / "log", token="test")
        assert forwards == network.forwards
        assert namespace.listens(FIRST_DOOR)
        assert namespace.listens(FIRST_DOOR + 1)
        qemus.close()
        async with asyncio.timeout(30):
            assert await running.wait() == 0


async def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineError, match=rf"Port {port} .*: Address already in use"):
            async with made(tmp_path, Forward(0, 22), Forward(port, 80)):
                pass


async def test_what_a_killed_process_leaves_is_found_by_its_token(tmp_path: Path) -> None:
    token = uuid.uuid4().hex
    async with vm_network(USER, [Forward(0, 22)], log=tmp_path / "log", token=token, events=Events()) as made:
        assert made.namespace
        assert made.pasta
        children = Path(f"/proc/{made.pasta.pid}/task/{made.pasta.pid}/children").read_text().split()
        assert len(children) == 1
        # a plain user sees the token of pasta's parent only
        os.kill(made.pasta.pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while is_running(int(children[0])):
                await asyncio.sleep(0.01)
        assert kill_marked(token) >= 1
        async with asyncio.timeout(30):
            while is_running(made.namespace.pid):
                await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


async def test_without_a_namespace_the_hosts_network_serves_and_none_is_restricted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netns, "TUN", tmp_path / "tun")
    said: list[str] = []
    events = Events(lambda event: said.append(event.message) if isinstance(event, Notice) else None)
    log = tmp_path / "log"
    async with vm_network(USER, [Forward(0, 22)], log=log, token="test", events=events) as network:
        assert network.namespace is None
        assert any("shares the host's own network" in line for line in said)
        async with passt_in(network, tmp_path) as (ssh,):
            assert ssh.host_port
            _, writer = await asyncio.open_connection("127.0.0.1", ssh.host_port)
            writer.close()
    with pytest.raises(MachineError, match=r"cut off from the network: .*tun cannot be opened"):
        async with vm_network(RESTRICTED, [], log=log, token="test", events=events):
            pass
