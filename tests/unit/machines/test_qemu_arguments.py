"""The command lines of QEMU and passt: what stands in them is what a guest gets."""

from __future__ import annotations

import json
import re
from pathlib import Path

from inline_snapshot import snapshot

from vmwright.machines.bridge import new_mac
from vmwright.machines.firmware import Firmware
from vmwright.machines.machine import Accelerator, MachineSpec
from vmwright.machines.passt import PLAIN, GuestAddresses, nameservers, passt_arguments
from vmwright.machines.qemu_arguments import Attachments, Device, qemu_arguments
from vmwright.template.model import Generation

PASST = Device(descriptor=9, mac="52:54:00:ab:cd:ef")


def arguments(
    *,
    accelerator: Accelerator = Accelerator.TCG,
    firmware: Firmware | None = None,
    disk: str = "/b/d.qcow2",
    network: Device = PASST,
) -> list[str]:
    spec = MachineSpec(
        name="build-1",
        folder=Path("/b"),
        cpus=2,
        memory_mib=3584,
        generation=Generation.V1,
        accelerator=accelerator,
    )
    attached = Attachments(
        disk=Path(disk),
        seed=Path("/b/seed"),
        console=Path("/b/con,sole"),
        firmware=firmware,
        control=7,
        network=network,
    )
    return qemu_arguments(spec, attached)


def test_an_emulated_bios_machine() -> None:
    shown = [json.loads(item) if item.startswith("{") else item for item in arguments()]
    assert shown == snapshot(
        [
            "qemu-system-x86_64",
            "-name",
            "build-1",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-machine",
            "q35",
            "-accel",
            "tcg,thread=multi,tb-size=1024",
            "-cpu",
            "max,-avx,-avx2,-fma,-f16c,-erms,-fsrm",
            "-smp",
            "2",
            "-m",
            "3584M",
            "-rtc",
            "base=utc",
            "-blockdev",
            {
                "driver": "qcow2",
                "node-name": "layer0",
                "detect-zeroes": "unmap",
                "discard": "unmap",
                "cache": {"direct": False, "no-flush": True},
                "file": {
                    "driver": "file",
                    "filename": "/b/d.qcow2",
                    "discard": "unmap",
                    "cache": {"direct": False, "no-flush": True},
                },
            },
            "-device",
            "virtio-blk-pci,drive=layer0,bootindex=0",
            "-blockdev",
            {
                "driver": "raw",
                "node-name": "seed",
                "read-only": True,
                "file": {"driver": "file", "filename": "/b/seed", "read-only": True},
            },
            "-device",
            "virtio-blk-pci,drive=seed",
            "-netdev",
            "stream,id=network,server=off,addr.type=fd,addr.str=9",
            "-device",
            "virtio-net-pci,netdev=network,mac=52:54:00:ab:cd:ef,romfile=",
            "-object",
            "rng-random,id=random,filename=/dev/urandom",
            "-device",
            "virtio-rng-pci,rng=random",
            "-device",
            "vmgenid,guid=auto",
            "-serial",
            "file:/b/con,,sole",
            "-chardev",
            "socket,id=control,fd=7",
            "-mon",
            "chardev=control,mode=control",
        ]
    )


def test_kvm_is_named_and_has_nothing_to_fall_back_to() -> None:
    given = arguments(accelerator=Accelerator.KVM)
    assert given[given.index("-accel") + 1] == "kvm"
    assert given[given.index("-cpu") + 1] == "host"


def test_uefi_code_is_shared_and_variables_are_the_machines_own() -> None:
    given = arguments(firmware=Firmware(Path("/usr/CODE.fd"), Path("/b/vars,1")))
    drives = [given[index + 1] for index, name in enumerate(given) if name == "-drive"]
    assert drives == snapshot(
        [
            "if=pflash,unit=0,format=raw,readonly=on,file=/usr/CODE.fd",
            "if=pflash,unit=1,format=raw,file=/b/vars,,1",
        ]
    )


def test_a_path_is_taken_as_it_is() -> None:
    given = arguments(disk='/b/a,b "c" ä.qcow2')
    disk = json.loads(next(item for item in given if "layer0" in item and item.startswith("{")))
    assert disk["file"]["filename"] == '/b/a,b "c" ä.qcow2'
    assert disk["cache"] == {"direct": False, "no-flush": True}


def test_a_machine_on_a_bridge_has_an_open_tap_device() -> None:
    given = arguments(network=Device(descriptor=11, mac="52:54:00:00:00:01", is_tap=True))
    assert given[given.index("-netdev") + 1] == "tap,id=network,fd=11"
    assert "virtio-net-pci,netdev=network,mac=52:54:00:00:00:01,romfile=" in given


def test_macs_are_of_qemus_range_and_differ() -> None:
    macs = {new_mac() for _ in range(20)}
    assert len(macs) == 20
    assert all(re.fullmatch("52:54:00(:[0-9a-f]{2}){3}", mac) for mac in macs)


def test_passt_hides_the_hosts_loopback_and_forwards_what_it_is_told() -> None:
    given = passt_arguments(
        5, ["127.0.0.1/4022:22", "61002:80"], addresses=PLAIN, nameservers=["192.0.2.53"], root=True
    )
    assert given == snapshot(
        [
            "passt",
            "--foreground",
            "--fd",
            "5",
            "--runas",
            "0",
            "--no-map-gw",
            "--address",
            "10.0.2.15",
            "--netmask",
            "24",
            "--gateway",
            "10.0.2.2",
            "--dns",
            "192.0.2.53",
            "--tcp-ports",
            "127.0.0.1/4022:22",
            "--tcp-ports",
            "61002:80",
            "--udp-ports",
            "none",
        ]
    )


def test_without_name_servers_passt_passes_none_of_the_hosts_on() -> None:
    plan = GuestAddresses(address="10.1.0.4", prefix="16", gateway="168.63.129.16")
    given = passt_arguments(5, ["61001:22"], addresses=plan, nameservers=(), root=False)
    assert given[given.index("--dns") + 1] == "none"
    assert given[given.index("--gateway") + 1] == "168.63.129.16"
    assert "--runas" not in given


def test_name_servers_on_loopback_are_replaced_by_those_behind_them(tmp_path: Path) -> None:
    stub, behind = tmp_path / "resolv.conf", tmp_path / "upstream"
    stub.write_text("# comment\nnameserver 127.0.0.53\noptions edns0\nnameserver ::1\n")
    behind.write_text(
        "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\n"
    )
    assert nameservers([stub, behind, tmp_path / "missing"]) == ("192.0.2.1", "2001:db8::1")
    assert nameservers([stub]) == ()
