"""Real containers on a real Debian disk: what a build does in one, from boot to a closed disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.host_traces import seen
from vmwright import process
from vmwright.disks.filetree import ExtFiles
from vmwright.disks.partitions import read_table
from vmwright.disks.storage_daemon import StorageDaemon
from vmwright.errors import MachineError, ProcessError
from vmwright.events import Events
from vmwright.guests.build_user import removal_of
from vmwright.machines.boot_files import boot_files, changes
from vmwright.machines.cgroup_trees import folders_of, members
from vmwright.machines.container import ContainerMachine
from vmwright.machines.container_needs import obstacle
from vmwright.machines.machine import MachineSpec
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmwright.events import Stream
    from vmwright.guests.linux import LinuxGuest

pytestmark = pytest.mark.machine

ROOT_PARTITION = 3


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield Ledger(database)
    database.close()


class Output:
    """What commands print, both streams in the order in which it came."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.text += data.decode(errors="replace")


async def overlay(base: Path, folder: Path, *size: str) -> Path:
    folder.mkdir(exist_ok=True)
    disk = folder / "layer0.qcow2"
    await process.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, disk, *size], timeout=30
    )
    return disk


def container(folder: Path, ledger: Ledger, name: str) -> ContainerMachine:
    spec = MachineSpec(
        name=f"{name}-{os.getpid()}", folder=folder, cpus=1, memory_mib=1024, generation=Generation.V1
    )
    return ContainerMachine(spec, ledger, Events())


async def say(guest: LinuxGuest, command: str, *, as_root: bool = False) -> str:
    output = Output()
    assert await guest.run(command, sink=output, as_root=as_root) == 0, output.text
    return output.text.strip()


async def file_in_layer(layer: Path, path: str, ledger: Ledger) -> bytes:
    """Read a file of a layer that nothing writes, through a view of its own."""
    async with StorageDaemon(layer, layer.with_suffix(".view"), ledger, writable=False) as daemon:
        root = next(
            part for part in (await read_table(daemon.raw)).partitions if part.number == ROOT_PARTITION
        )
        return await ExtFiles(daemon.raw, root).read(path)


async def test_this_host_can_run_containers() -> None:
    assert await obstacle() is None


async def test_a_guest_is_provisioned(
    debian_disk: Path, tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_SECRET", "not for guests")
    disk = await overlay(debian_disk, tmp_path / "m", "6G")
    machine = container(tmp_path / "m", ledger, "vwprov")
    try:
        guest = await machine.start(disk)
        assert await say(guest, "id -un; pwd; sudo id -u") == "packer\n/home/packer\n0"
        assert int(await say(guest, "df --output=size -B1M / | tail -1")) > 5500
        assert await say(guest, "systemctl is-system-running") == "running"
        for kind in ("ECDSA", "ED25519", "RSA"):
            key = f"/etc/ssh/ssh_host_{kind.lower()}_key"
            assert await say(guest, f"sudo ssh-keygen -lf {key} | cut -d' ' -f4") == f"({kind})"
        assert await say(guest, "sudo journalctl --boot --quiet --identifier ssh-keygen") == ""
        assert await say(guest, "sudo systemctl restart ssh && systemctl is-active ssh") == "active"
        assert "169.254.1.1" in await say(guest, "resolvectl dns")
        assert (await guest.ask("cloud-init", "status", check=False)).stdout.strip() == b"status: disabled"
        assert "HOST_SECRET" not in await say(guest, "env; sudo cat /proc/1/environ | tr '\\0' '\\n'")
        assert await guest.run("exit 3", sink=Output()) == 3
        assert await say(guest, "ls /proc/sys/kernel/random; stat -c %u /etc/shadow") != ""
        await _files_go_in(guest, tmp_path)
        await _a_cancelled_command_ends(guest)
        await _what_it_leaves_running_holds_no_cancel_up(guest)
        await _the_host_is_out_of_reach(guest, seen(tmp_path / "m/container/root"))
        await say(guest, "sudo apt-get update -q && sudo apt-get install -q -y --no-install-recommends tree")
        assert (await say(guest, "tree --version")).startswith("tree v")
    finally:
        await machine.destroy()


async def _files_go_in(guest: LinuxGuest, folder: Path) -> None:
    source = folder / "file"
    source.write_bytes(os.urandom(3 << 20))
    seen: list[tuple[int, int]] = []
    await guest.put(source, "/tmp/it's $HOME", mode=0o750, progress=lambda *step: seen.append(step))
    assert seen[-1] == (3 << 20, 3 << 20)
    assert await say(guest, "stat -c '%U %a %s' \"/tmp/it's \\$HOME\"") == f"packer 750 {3 << 20}"
    with pytest.raises(MachineError, match="Permission denied"):
        await guest.put(source, "/etc/file")


async def _a_cancelled_command_ends(guest: LinuxGuest) -> None:
    running = asyncio.ensure_future(guest.run("sleep 4321 & sleep 1234; true", sink=Output()))
    while (await guest.ask("pgrep", "-f", "^sleep 1234", check=False)).exit_code != 0:
        await asyncio.sleep(0.05)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert (await guest.ask("pgrep", "^sleep$", check=False)).exit_code == 1


async def _what_it_leaves_running_holds_no_cancel_up(guest: LinuxGuest) -> None:
    running = asyncio.ensure_future(guest.run("(setsid sleep 4321 &); exec sleep 1234", sink=Output()))
    while (await guest.ask("pgrep", "-f", "^sleep 1234", check=False)).exit_code != 0:
        await asyncio.sleep(0.05)
    running.cancel()
    async with asyncio.timeout(60):
        await asyncio.wait([running])
    assert (await guest.ask("pgrep", "-f", "^sleep 1234", check=False)).exit_code == 1
    await say(guest, "pkill -f '^sleep 4321'")


async def _the_host_is_out_of_reach(guest: LinuxGuest, root: Path) -> None:
    (device := root / "opt/disk").touch()
    device.unlink()
    os.mknod(device, 0o60666, (root.stat()).st_dev)
    for command in ("head -c 1 /opt/disk", "mount -i -n -o remount,bind,dev /", "mknod /opt/other b 7 0"):
        assert await guest.run(command, sink=Output(), as_root=True) != 0, command
    device.unlink()
    assert int(await say(guest, "ls /proc | grep -c '^[0-9]'")) < 60
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        gateway = "$(ip route show default | cut -d' ' -f3)"
        own = '$(ip -4 -o addr show scope global | awk \'{sub("/.*","",$4); print $4}\')'
        for address in ("127.0.0.1", gateway, own):
            command = f"timeout 2 bash -c 'echo > /dev/tcp/'{address}'/{port}'"
            assert await guest.run(command, sink=Output()) != 0, address
    assert "nameserver" in await say(guest, "cat /etc/resolv.conf")


async def test_frozen_layers_hold_what_was_there(debian_disk: Path, tmp_path: Path, ledger: Ledger) -> None:
    disk = await overlay(debian_disk, tmp_path / "m")
    layers = [disk, *(tmp_path / "m" / f"layer{number}.qcow2" for number in (1, 2))]
    machine = container(tmp_path / "m", ledger, "vwlayer")
    try:
        guest = await machine.start(disk)
        for number, layer in enumerate(layers[1:], 1):
            await say(guest, f"echo {number} | sudo tee /opt/step > /dev/null")
            await machine.checkpoint(layer)
        await say(guest, "echo 3 | sudo tee /opt/step > /dev/null")
        with pytest.raises(ProcessError, match="already"):
            await machine.checkpoint(layers[2])
        assert await say(guest, "sudo touch /opt/still-writable; getent hosts localhost") != ""
        before = await machine.boot_files()
        assert before == await boot_files(guest)
        await say(
            guest,
            "echo 'quiet' | sudo tee -a /etc/default/grub; echo >> /boot/initrd.img-$(ls /lib/modules)",
            as_root=True,
        )
        changed = changes(before, await machine.boot_files())
        assert "/etc/default/grub" in changed
        assert any(path.startswith("/boot/initrd.img-") for path in changed)
        await guest.ask("sh", "-c", removal_of("packer"), as_root=True)
        await machine.power_off()
    finally:
        await machine.destroy()
    steps = [await file_in_layer(layer, "/opt/step", ledger) for layer in layers]
    assert steps == [b"1\n", b"2\n", b"3\n"]
    for name in ("passwd", "passwd-", "group", "group-", "shadow", "shadow-", "subuid", "subuid-"):
        assert b"packer" in await file_in_layer(layers[1], "/etc/passwd", ledger)
        assert b"packer" not in await file_in_layer(layers[2], f"/etc/{name}", ledger)
    assert await file_in_layer(layers[2], "/etc/sudoers.d/90-vmwright", ledger) == b""


async def test_a_layer_can_be_resumed(debian_disk: Path, tmp_path: Path, ledger: Ledger) -> None:
    disk = await overlay(debian_disk, tmp_path / "m")
    machine = container(tmp_path / "m", ledger, "vwfirst")
    try:
        await say(await machine.start(disk), "touch ~/mine")
        await machine.checkpoint(tmp_path / "m/layer1.qcow2")
    finally:
        await machine.destroy()
    again = await overlay(disk, tmp_path / "again")
    machine = container(tmp_path / "again", ledger, "vwagain")
    try:
        assert await say(await machine.start(again), "ls ~; sudo id -u") == "mine\n0"
    finally:
        await machine.destroy()


async def test_a_restart_is_waited_for_and_a_power_off_refused(
    debian_disk: Path, tmp_path: Path, ledger: Ledger
) -> None:
    disk = await overlay(debian_disk, tmp_path / "m")
    machine = container(tmp_path / "m", ledger, "vwboot")
    try:
        guest = await machine.start(disk)
        assert not await machine.settle(timeout=60)
        boot = await guest.boot_id()
        assert await guest.run("sudo reboot; sleep 60", sink=Output()) is None
        assert await machine.settle(timeout=60)
        assert not await machine.settle(timeout=60)
        assert await guest.boot_id() != boot
        assert await say(guest, "sudo id -u; ip -4 route show default | head -1 | cut -c1-7") == "0\ndefault"
        await guest.run("sudo systemctl poweroff; sleep 60", sink=Output())
        with pytest.raises(MachineError, match="switched off by a step"):
            await machine.settle(timeout=60)
    finally:
        await machine.destroy()


async def test_several_containers_at_once(debian_disk: Path, tmp_path: Path, ledger: Ledger) -> None:
    names = ("a", "b", "c")
    disks = [await overlay(debian_disk, tmp_path / name) for name in names]
    machines = [container(tmp_path / name, ledger, f"vw{name}") for name in names]
    try:
        guests = await asyncio.gather(
            *(machine.start(disk) for machine, disk in zip(machines, disks, strict=True))
        )
        ids = {await say(guest, "cat /proc/self/uid_map | tr -s ' '") for guest in guests}
        assert len(ids) == len(names)
        assert await say(guests[0], "sudo ss -ltnH 'sport = :22' | wc -l") == "2"
        inside = [members(folders_of(f"vw{name}-{os.getpid()}")) for name in names]
        assert all(inside)
        assert len(set.union(*inside)) == sum(map(len, inside))
        await asyncio.gather(
            *(
                machine.checkpoint(disk.with_name("above.qcow2"))
                for machine, disk in zip(machines, disks, strict=True)
            )
        )
        await machines[0].destroy()
        for guest in guests[1:]:
            assert await say(guest, "sudo touch /opt/writable; sudo id -u") == "0"
    finally:
        for machine in machines:
            await machine.destroy()
