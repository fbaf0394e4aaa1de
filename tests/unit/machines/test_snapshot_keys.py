"""Of what a memory snapshot is one: each ingredient alone makes it another."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from vmwright.errors import MachineError
from vmwright.machines.machine import Accelerator, MachineSpec
from vmwright.machines.network import Network, NetworkMode
from vmwright.machines.qemu_arguments import Attachments, Device, qemu_arguments
from vmwright.machines.renewal import PREPARE
from vmwright.machines.seed import cloud_config, new_access
from vmwright.machines.snapshot_key import LAYOUT, SnapshotKey, obstacle, read_version
from vmwright.template.model import Generation

KEY = SnapshotKey(
    source="aa",
    disk_bytes=4 << 30,
    qemu="7.2.22",
    machine="pc-q35-7.2",
    accelerator=Accelerator.TCG,
    processor="",
    cpus=2,
    memory_mib=2048,
    firmware="",
    network=("user", "ipv6=False", "192.0.2.53"),
    provisioning=("nocloud",),
    user="packer",
)
OTHERS = {
    "source": "bb",
    "disk_bytes": 8 << 30,
    "qemu": "7.2.23",
    "machine": "pc-q35-8.0",
    "accelerator": Accelerator.KVM,
    "processor": "cc",
    "cpus": 4,
    "memory_mib": 4096,
    "firmware": "/usr/share/OVMF/OVMF_CODE_4M.fd 1 2",
    "network": ("user", "ipv6=False", "192.0.2.54"),
    "provisioning": ("azure", "westus2", "Standard_D2ds_v4"),
    "user": "other",
    "layout": LAYOUT + 1,
}
GREETING = b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7"}}}\n'
MACHINES = b'{"return": [{"name": "pc-q35-6.0"}, {"name": "pc-q35-7.2", "alias": "q35"}]}\n'


def spec(network: NetworkMode = NetworkMode.USER) -> MachineSpec:
    return MachineSpec(
        name="vm",
        folder=Path("/b"),
        cpus=2,
        memory_mib=2048,
        generation=Generation.V1,
        network=Network(network),
    )


def test_every_ingredient_is_tried() -> None:
    assert OTHERS.keys() == {field.name for field in dataclasses.fields(SnapshotKey)}


@pytest.mark.parametrize("name", OTHERS)
def test_an_ingredient_that_differs_makes_another_key(name: str) -> None:
    other = dataclasses.replace(KEY, **{name: OTHERS[name]})  # type: ignore[arg-type]
    assert other.digest != KEY.digest
    assert dataclasses.replace(KEY).digest == KEY.digest


def test_what_a_guest_was_booted_with_changes_only_with_the_layout() -> None:
    """Where this fails: raise LAYOUT, so that no guest goes on from a memory that was made otherwise."""
    attached = Attachments(
        disk=Path("/d"),
        seed=Path("/s"),
        console=Path("/c"),
        firmware=None,
        control=7,
        network=Device(descriptor=9, mac="52:54:00:00:00:01"),
    )
    access = new_access("packer")
    seed = cloud_config(access)
    for key in (access.client_key.export_public_key(), access.host_key.export_public_key()):
        seed = seed.replace(key.decode().strip(), "KEY")
    seed = re.sub('-----BEGIN[^"]*-----END[^"]*', "KEY", seed)
    text = "\n".join([*qemu_arguments(spec(), attached), seed, PREPARE])
    assert (LAYOUT, hashlib.sha256(text.encode()).hexdigest()[:16]) == snapshot((3, "8dd38e10701cc751"))


def test_qemu_says_its_version_and_the_type_of_the_machine() -> None:
    found = read_version(GREETING + b'{"return": {}}\n' + MACHINES + b'{"return": {}}\n')
    assert (found.version, found.machine) == ("7.2.22 Debian 1:7", "pc-q35-7.2")


@pytest.mark.parametrize("said", [b"", b"{}\n{}\n{}\n", b"QEMU\n", GREETING])
def test_a_qemu_that_does_not_say_what_it_is_is_an_error(said: bytes) -> None:
    with pytest.raises(MachineError, match="does not say what it is"):
        read_version(said)


def test_on_a_bridge_none_is_used() -> None:
    assert "bridge" in (obstacle(spec(NetworkMode.BRIDGE)) or "")
    assert obstacle(spec()) is None
    assert obstacle(spec(NetworkMode.RESTRICTED)) is None
