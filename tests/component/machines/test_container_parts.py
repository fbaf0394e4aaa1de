"""What the container machine tells this host's programs, and what it reads of their answers."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh
import pytest

from tests.scripted import ScriptedTransport
from vmwright import process
from vmwright.artifacts.foreign_tree import ForeignTree
from vmwright.errors import MachineError
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.nsenter import NsenterTransport
from vmwright.guests.transport import Ended
from vmwright.machines.boot_files import boot_files, changes
from vmwright.machines.cgroup import JOINER, Cgroup
from vmwright.machines.cgroup_trees import Hierarchy, hierarchies
from vmwright.machines.container_needs import missed_mounts, obstacle
from vmwright.machines.host_keys import give_host_keys, new_host_keys
from vmwright.machines.nspawn import nspawn_arguments
from vmwright.machines.passt import Forward
from vmwright.machines.pasta import pasta_arguments, room_arguments

PURE = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio
33 30 0:29 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
34 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
35 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
36 30 0:31 / /mnt/again rw - cgroup2 cgroup2 rw
"""
HOST_KEYS = {"rsa": "ssh-rsa", "ecdsa": "ecdsa-sha2-nistp256", "ed25519": "ssh-ed25519"}


def tree(root: str, *controllers: str, unified: bool = False) -> Hierarchy:
    return Hierarchy(Path(root), unified=unified, controllers=frozenset(controllers))


def test_trees_of_cgroups_that_a_container_needs() -> None:
    assert hierarchies(PURE) == (tree("/sys/fs/cgroup", unified=True),)
    assert hierarchies(HYBRID) == (
        tree("/sys/fs/cgroup/cpu,cpuacct", "cpu"),
        tree("/sys/fs/cgroup/memory", "memory"),
        tree("/sys/fs/cgroup/systemd", "name=systemd"),
        tree("/sys/fs/cgroup/unified", unified=True),
    )
    assert hierarchies("22 1 254:0 / / rw - ext4 /dev/vda rw\n") == ()


def test_a_container_is_entered_by_the_door_of_its_own_cgroup(tmp_path: Path) -> None:
    trees = (
        Hierarchy(tmp_path / "memory", unified=False, controllers=frozenset({"memory"})),
        Hierarchy(tmp_path / "unified", unified=True, controllers=frozenset()),
    )
    door = tmp_path / "unified/box/payload/vmwright"
    door.mkdir(parents=True)
    (door / "cgroup.procs").touch()
    assert Cgroup("box", trees).enter() == (
        "sh",
        str(JOINER),
        f"{tmp_path}/memory/box/cgroup.procs",
        f"{door}/cgroup.procs",
        "--",
    )


def test_a_cgroup_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    trees = (tree(f"{tmp_path}/a"), tree(f"{tmp_path}/b"))
    (tmp_path / "a").mkdir()
    (tmp_path / "b/box").mkdir(parents=True)
    with pytest.raises(MachineError, match="File exists"):
        Cgroup("box", trees).make()
    assert not (tmp_path / "a/box").exists()
    assert (tmp_path / "b/box").exists()


async def test_the_joiner_joins_and_becomes_the_program(tmp_path: Path) -> None:
    procs = [tmp_path / "a file", tmp_path / "b"]
    pids: list[int] = []
    ended = await process.run(
        ["sh", JOINER, *procs, "--", "sh", "-c", 'echo "$$ $1"', "sh", "it's $HOME"],
        timeout=10,
        on_start=pids.append,
    )
    assert ended.text == f"{pids[0]} it's $HOME"
    assert [file.read_text() for file in procs] == [f"{pids[0]}\n"] * 2
    refused = await process.run(["sh", JOINER, tmp_path / "no/b", "--", "true"], timeout=10, check=False)
    assert refused.returncode != 0


def test_limits_go_where_the_host_has_their_controllers(tmp_path: Path) -> None:
    memory = Hierarchy(tmp_path / "memory", unified=False, controllers=frozenset({"memory"}))
    (tmp_path / "memory/box").mkdir(parents=True)
    more_than_there_are = (os.cpu_count() or 1) + 1
    box = Cgroup("box", (memory,))
    assert box.limit(cpus=more_than_there_are, memory_mib=512) == []
    assert (tmp_path / "memory/box/memory.limit_in_bytes").read_text() == str(512 << 20)
    assert Cgroup("box", ()).limit(cpus=more_than_there_are, memory_mib=512) == ["memory"]


@pytest.mark.parametrize(
    "kept",
    ["--private-users=pick", "--private-users-ownership=map", "--network-bridge=br0", "--timezone=off"],
)
def test_nspawn_is_told_to_isolate_and_to_leave_the_image_alone(kept: str) -> None:
    arguments = nspawn_arguments("box", Path("/disk/root"), ["--network-bridge=br0"])
    assert kept in arguments
    assert arguments.index("cloud-init=disabled") > arguments.index("--boot")
    assert not any(argument.startswith("--bind") for argument in arguments)


def test_a_guest_is_given_the_host_keys_that_its_ssh_server_would_make(tmp_path: Path) -> None:
    ssh = tmp_path / "etc/ssh"
    ssh.mkdir(parents=True)
    give_host_keys(ForeignTree(tmp_path), new_host_keys())
    assert list(ssh.iterdir()) == []  # nobody wants one
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/sshd").touch()
    own = ssh / "ssh_host_rsa_key"
    own.write_text("the image's own")
    give_host_keys(ForeignTree(tmp_path), new_host_keys())
    assert own.read_text() == "the image's own"
    assert not own.with_suffix(".pub").exists()
    own.unlink()
    give_host_keys(ForeignTree(tmp_path), new_host_keys())
    assert {path.stat().st_mode & 0o777 for path in ssh.glob("*_key")} == {0o600}
    for kind, algorithm in HOST_KEYS.items():
        key = ssh / f"ssh_host_{kind}_key"
        private, public = asyncssh.read_private_key(key), asyncssh.read_public_key(key.with_suffix(".pub"))
        assert private.get_algorithm() == algorithm
        assert private.public_data == public.public_data


def test_pasta_opens_no_port_in_either_direction() -> None:
    arguments = pasta_arguments(77)
    for option in ("--tcp-ports", "--udp-ports", "--tcp-ns", "--udp-ns"):
        assert arguments[arguments.index(option) + 1] == "none"
    assert "--no-map-gw" in arguments
    assert arguments[arguments.index("--netns") + 1] == "/proc/77/ns/net"


def test_pasta_leads_to_the_doors_of_a_namespace_of_ours_and_hides_no_address_of_the_host() -> None:
    doors = [Forward(4022, 61001), Forward(8080, 61002)]
    arguments = room_arguments(77, doors, root=False, forwards_names=False)
    ports = [arguments[index + 1] for index, name in enumerate(arguments) if name == "--tcp-ports"]
    assert ports == ["127.0.0.1/4022:61001", "127.0.0.1/8080:61002"]
    for option in ("--udp-ports", "--tcp-ns", "--udp-ns"):
        assert arguments[arguments.index(option) + 1] == "none"
    assert arguments[arguments.index("--address") + 1] == "192.0.0.2"
    assert "--no-map-gw" in arguments
    assert "--runas" not in arguments
    assert "--dns-forward" not in arguments
    assert "--dns-forward" in room_arguments(77, doors, root=True, forwards_names=True)


def test_commands_of_the_user_and_of_root() -> None:
    transport = NsenterTransport("packer")
    transport.lead_to(os.getpid(), ("sh", "join", "--"))
    entering = ["sh", "join", "--", "nsenter", "--target", str(os.getpid()), "--all", "env", "-i"]
    user = transport.arguments("echo 'a b'; id", as_root=False)
    assert user[:9] == entering
    assert user[-5:] == ["su", "--login", "packer", "--command", "echo 'a b'; id"]
    root = transport.arguments("id", as_root=True)
    assert root[:9] == entering
    assert root[9:11] == ["-C", "/root"]
    assert root[-3:] == ["sh", "-c", "id"]


async def test_a_container_that_is_gone_answers_nothing() -> None:
    transport = NsenterTransport("packer")
    assert await transport.execute("true") == Ended(None)
    transport.lead_to(2**22 + 1, ())
    assert await transport.execute("true") == Ended(None)
    assert await transport.is_stopping()


async def read(listing: str) -> dict[str, str]:
    transport = ScriptedTransport(answers={"find": lambda _: Ended(0, listing.encode())})
    return dict(await boot_files(LinuxGuest(transport, "packer")))


async def test_changed_boot_files_are_noticed() -> None:
    before = await read("aa  /boot/vmlinuz-6\nbb  /etc/fstab\n/lib/modules/6/kernel/a.ko\n")
    assert set(before) == {"/boot/vmlinuz-6", "/etc/fstab", "/lib/modules/6"}
    same = await read("bb  /etc/fstab\naa  /boot/vmlinuz-6\n/lib/modules/6/kernel/a.ko\n")
    assert changes(before, same) == ()
    after = await read(
        "aa  /boot/vmlinuz-6\ncc  /etc/fstab\ndd  /boot/vmlinuz-7\n"
        "/lib/modules/6/kernel/a.ko\n/lib/modules/6/kernel/b.ko\n/lib/modules/7/kernel/a.ko\n"
    )
    assert changes(before, after) == ("/boot/vmlinuz-7", "/etc/fstab", "/lib/modules/6", "/lib/modules/7")
    assert changes(before, {}) == ("/boot/vmlinuz-6", "/etc/fstab", "/lib/modules/6")


async def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await obstacle() == "systemd-nspawn is not installed (package systemd-container)"


def test_partitions_that_a_container_would_miss() -> None:
    fstab = """\
# UUID=0 /commented ext4 defaults 0 0
UUID=1 / xfs defaults 0 0
UUID=2 /boot xfs defaults 0 0
UUID=3 /boot/efi vfat umask=0077 0 0
/dev/disk/cloud/azure_resource-part1 /mnt auto defaults,nofail 0 2
LABEL=data /data ext4 defaults,noauto 0 0
tmpfs /var/tmp tmpfs size=1G 0 0
server:/export /net nfs _netdev 0 0
/dev/mapper/rootvg-varlv /var xfs defaults 0 0
/dev/sdb1 none swap sw 0 0
"""
    assert missed_mounts(fstab) == ("/boot", "/var")
    assert missed_mounts("") == ()
