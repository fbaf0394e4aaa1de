"""Whole virtual machines: one BIOS boot with all that a build asks of it, one UEFI boot."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import json
import os
import shlex
import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from vmwright import process
from vmwright.disks.qemu_img import DiskFormat, create_overlay
from vmwright.errors import MachineError, MachineLostError
from vmwright.events import Events, Notice, Stream
from vmwright.machines.boot import boot_image
from vmwright.machines.machine import MachineSpec
from vmwright.machines.network import USER, Network, NetworkMode
from vmwright.machines.passt import Forward
from vmwright.machines.qemu import QemuMachine
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from vmwright.guests.linux import LinuxGuest
    from vmwright.state.database import Database

pytestmark = [pytest.mark.machine, pytest.mark.emulated, pytest.mark.slow]

GIB = 1 << 30
CONNECT = "timeout 10 bash -c 'echo > /dev/tcp/{}/{}' 2> /dev/null && echo connected || echo alone"
SERVE = "python3 -m http.server 8000 --directory /home/packer"
ROUTE_LOOPBACK_OUT = (
    "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route del table local local 127.0.0.0/8 dev lo;"
    " ip route add 127.0.0.5/32 via 10.0.2.2 src 10.0.2.15; true"
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


@contextlib.asynccontextmanager
async def machine_on(
    disk: Path, folder: Path, database: Database, *, generation: Generation, network: Network = USER
) -> AsyncIterator[tuple[QemuMachine, list[str]]]:
    said: list[str] = []
    events = Events(lambda event: said.append(event.message) if isinstance(event, Notice) else None)
    spec = MachineSpec(
        name="vm", folder=folder, cpus=2, memory_mib=2048, generation=generation, network=network
    )
    machine = QemuMachine(spec, Ledger(database), events)
    try:
        yield machine, said
    finally:
        await machine.destroy()
        await machine.destroy()


def the_hosts_address() -> str:
    """The host's own address, as its default route chooses it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


async def text(guest: LinuxGuest, command: str, *, as_root: bool = False) -> str:
    return (await guest.ask("sh", "-c", command, as_root=as_root)).stdout.decode().strip()


def owned(database: Database) -> list[str]:
    with database.session() as session:
        return [row.identity for row in session.query(ResourceRow)]


@pytest.fixture
def host_secret(tmp_path: Path) -> Iterator[int]:
    """A service on the host's loopback interface that a guest must not reach."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "secret").write_text("of the host")
    handler = functools.partial(QuietHandler, directory=tmp_path / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.mark.timeout(1500)
async def test_a_bios_machine_from_power_on_to_its_layers(
    tmp_path: Path, debian_disk: Path, database: Database
) -> None:
    disk, first, second = (tmp_path / name for name in ("disk, with comma.qcow2", "one.qcow2", "two.qcow2"))
    await create_overlay(disk, backing=debian_disk, backing_format=DiskFormat.QCOW2, size=6 * GIB)
    restricted = Network(NetworkMode.RESTRICTED)
    async with machine_on(disk, tmp_path, database, generation=Generation.V1, network=restricted) as (
        machine,
        said,
    ):
        guest = await machine.start(disk)
        assert len(owned(database)) == 3
        with socket.create_server(("", 0)) as server:
            port = server.getsockname()[1]
            for address in ("10.0.2.2", the_hosts_address()):
                assert await text(guest, CONNECT.format(address, port)) == "alone"
        assert "1" not in await text(guest, "resolvectl dns | grep -v Global | cut -d: -f2")
        assert not any("cloud-init" in line for line in said), said

        assert int(await text(guest, "df -B1 --output=size / | tail -n 1")) > 5.5 * GIB
        assert await text(guest, "sudo -n id -u") == "0"
        assert "packer L" in await text(guest, "sudo -n passwd -S packer")

        lines: list[tuple[Stream, bytes]] = []
        assert await guest.run("echo a; echo b >&2; exit 7", sink=lambda *line: lines.append(line)) == 7
        assert sorted(lines) == [(Stream.STDERR, b"b\n"), (Stream.STDOUT, b"a\n")]

        payload = tmp_path / "payload"
        payload.write_bytes(os.urandom(3_000_000))
        await guest.put(payload, "/home/packer/payload", mode=0o640)
        assert await text(guest, "stat -c %a /home/packer/payload") == "640"
        assert not await machine.settle(timeout=60)
        await machine.checkpoint(first)
        with pytest.raises(MachineError, match="already"):
            await machine.checkpoint(first)

        await text(guest, "echo two > /home/packer/second")
        assert await guest.run("sudo systemctl reboot", sink=lambda *_: None) in {0, None, 143}
        assert await machine.settle(timeout=400)
        assert not await machine.settle(timeout=60)
        assert await text(guest, "cat /home/packer/second") == "two"
        await machine.checkpoint(second)
        await text(guest, "echo three > /home/packer/third")
        await machine.power_off()
        assert owned(database) == []
        assert not list(tmp_path.glob("vm.seed"))

    assert await names_in_home(disk) >= {"payload"}
    assert not await names_in_home(disk) & {"second", "third"}
    assert await names_in_home(first) >= {"payload", "second"}
    assert "third" not in await names_in_home(first)
    assert await names_in_home(second) >= {"payload", "second", "third"}


async def reaches_names_but_not_the_hosts_loopback(guest: LinuxGuest, port: int) -> None:
    """QEMU's own network would show the host at the gateway; routing 127/8 there is the next trick."""
    here = await process.run(["bash", "-c", fetch("127.0.0.1", port)], timeout=30)
    assert here.text.endswith("of the host")
    assert await text(guest, "resolvectl dns | grep -c '[0-9]\\.'") != "0"
    for address in ("10.0.2.2", "127.0.0.1"):
        assert "of the host" not in await text(guest, fetch(address, port))
    await text(guest, ROUTE_LOOPBACK_OUT, as_root=True)
    assert "of the host" not in await text(guest, fetch("127.0.0.5", port))


def fetch(address: str, port: int) -> str:
    ask = f"exec 3<>/dev/tcp/{address}/{port}; printf 'GET /secret HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    return f"timeout 8 bash -c {shlex.quote(ask)}; true"


async def names_in_home(disk: Path) -> set[str]:
    """Read a layer from outside, its journal replayed, without mounting it."""
    raw = disk.with_suffix(".raw")
    await process.run(["qemu-img", "convert", "-O", "raw", disk, raw], timeout=300)
    table = json.loads((await process.run(["sfdisk", "-J", raw], timeout=60)).stdout)["partitiontable"]
    root = max(table["partitions"], key=lambda partition: partition["size"])
    image = f"{raw}?offset={root['start'] * table['sectorsize']}"
    await process.run(["e2fsck", "-fy", image], timeout=300, check=False)
    listed = await process.run(["debugfs", "-R", "ls -p /home/packer", image], timeout=60)
    raw.unlink()
    return {line.split("/")[5] for line in listed.text.splitlines() if line.count("/") > 5}


@pytest.mark.timeout(900)
async def test_a_uefi_image_is_booted_for_a_look_and_stops_by_its_power_button(
    tmp_path: Path, debian_disk: Path, database: Database, host_secret: int
) -> None:
    spec = MachineSpec(name="look", folder=tmp_path, cpus=2, memory_mib=2048, generation=Generation.V2)
    async with boot_image(
        debian_disk,
        DiskFormat.QCOW2,
        spec=spec,
        ledger=Ledger(database),
        events=Events(),
        forwards=[Forward(0, 8000)],
    ) as booted:
        assert await text(booted.guest, "test -d /sys/firmware/efi && echo uefi") == "uefi"
        login = await process.run([*shlex.split(booted.ssh_command), "id", "-un"], timeout=120)
        assert login.text == "packer"
        await text(booted.guest, "echo hello > index.html")
        await text(booted.guest, f"systemd-run --quiet {SERVE}", as_root=True)
        assert await booted.page(8000, timeout=120) == "hello\n"
        await reaches_names_but_not_the_hosts_loopback(booted.guest, host_secret)

        await is_lost_with_its_network(booted.machine, booted.guest)
        await booted.machine.power_off()  # nobody can be asked in the guest
        assert "Power down" in booted.machine.console.read_text(errors="replace")
    assert owned(database) == []
    assert {path.name for path in tmp_path.glob("look.*")} == {
        "look.console",
        "look.passt.log",
        "look.qemu.log",
    }


async def is_lost_with_its_network(machine: QemuMachine, guest: LinuxGuest) -> None:
    """Kill pasta under a step: the loss is known afterwards, and every call that needs the guest tells it."""
    assert await machine.lost() is None
    step = asyncio.create_task(guest.run("sleep 900", sink=lambda *_: None))
    while (await guest.ask("pgrep", "-x", "sleep", check=False)).exit_code != 0:
        await asyncio.sleep(0.2)
    os.kill(pid_of(machine, "pasta"), signal.SIGKILL)
    assert await step is None
    lost = await machine.lost()
    assert lost
    assert "pasta was killed by signal 9" in lost.message
    with pytest.raises(MachineLostError, match="pasta"):
        await machine.settle(timeout=60)


def pid_of(machine: QemuMachine, program: str) -> int:
    return next(running.pid for name, running in machine._programs() if name == program)


@pytest.mark.parametrize(
    ("program", "number", "how"),
    [
        ("QEMU", signal.SIGKILL, "was killed by signal 9"),
        ("QEMU", signal.SIGTERM, "was ended from outside"),
        ("passt", signal.SIGKILL, "was killed by signal 9"),
        ("pasta", signal.SIGKILL, "was killed by signal 9"),
    ],
)
async def test_the_end_of_a_program_ends_the_start_at_once(
    tmp_path: Path, debian_disk: Path, database: Database, program: str, number: int, how: str
) -> None:
    disk = tmp_path / "disk.qcow2"
    await create_overlay(disk, backing=debian_disk, backing_format=DiskFormat.QCOW2)
    async with machine_on(disk, tmp_path, database, generation=Generation.V1) as (machine, _):
        starting = asyncio.create_task(machine.start(disk))
        while not machine.console.exists() or not machine.ssh_port or machine._monitor._watching is None:
            await asyncio.sleep(0.1)
        os.kill(pid_of(machine, program), number)
        with pytest.raises(MachineLostError, match=f"{program} {how}"):
            await starting
        async with asyncio.timeout(3):
            await machine.destroy()
        assert f"{program} {how}" in str(await machine.lost())
    assert owned(database) == []
