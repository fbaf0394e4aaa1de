"""QEMU's command line, from what a machine is to be. Pure: nothing is looked up or made here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.machines.azure.instance import CHASSIS_ASSET_TAG, MANUFACTURER, PRODUCT, PRODUCT_VERSION
from vmwright.machines.machine import Accelerator

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.machines.azure.instance import Instance
    from vmwright.machines.firmware import Firmware
    from vmwright.machines.machine import MachineSpec

PROGRAM = "qemu-system-x86_64"
MACHINE = "q35"
# translated code is kept in 1 GiB: with the default a boot of Debian takes a third longer
TCG = "tcg,thread=multi,tb-size=1024"
# a guest that breaks out of its devices finds no way to start programs or to gain rights
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What QEMU's network device, which has the address ``mac``, is attached to by an open file.

    :param is_tap: a tap device; otherwise a socket to passt.
    """

    descriptor: int
    mac: str
    is_tap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """What a machine is attached to.

    :param disk: the qcow2 that it writes; ``seed``: the NoCloud image or the provisioning DVD; both absolute.
    :param console: the file that gets what the guest writes to its serial port.
    :param firmware: UEFI with this machine's own variables, or None for BIOS.
    :param instance: what the guest is to take itself for on Azure, None for a guest with a NoCloud seed.
    :param waits: whether it does not start before it is given its memory.
    :param control: the open socket of QEMU's monitor; ``network``: what its network device is attached to.
    """

    disk: Path
    seed: Path
    console: Path
    firmware: Firmware | None
    control: int
    network: Device
    instance: Instance | None = None
    waits: bool = False


def qemu_arguments(spec: MachineSpec, attached: Attachments) -> list[str]:
    """Return the whole command line of a machine."""
    return [
        PROGRAM,
        *("-name", spec.name),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-sandbox", SANDBOX),
        *("-machine", MACHINE),
        *_processors(spec, on_azure=attached.instance is not None),
        *("-smp", str(spec.cpus), "-m", f"{spec.memory_mib}M"),
        *("-rtc", "base=utc"),
        *_firmware(attached.firmware),
        *_smbios(attached.instance),
        *("-blockdev", _disk(attached.disk), "-device", "virtio-blk-pci,drive=layer0,bootindex=0"),
        *("-blockdev", _seed(attached.seed), *_seed_device(attached.instance)),
        *_network(attached.network),
        *("-object", "rng-random,id=random,filename=/dev/urandom"),
        *("-device", "virtio-rng-pci,rng=random"),
        *("-device", "vmgenid,guid=auto"),
        *("-serial", f"file:{_escaped(attached.console)}"),
        *("-chardev", f"socket,id=control,fd={attached.control}"),
        *("-mon", "chardev=control,mode=control"),
        *(("-incoming", "defer") if attached.waits else ()),
    ]


def _processors(spec: MachineSpec, *, on_azure: bool) -> tuple[str, ...]:
    """Name the accelerator and nothing to fall back to: a fall-back would be silent.

    On Azure the processor names Hyper-V as its hypervisor, or none, and then SMBIOS does: systemd's
    ConditionVirtualization=microsoft, which starts waagent, goes by it.
    """
    if spec.accelerator is Accelerator.KVM:
        # with any of Hyper-V's features KVM's own move to a second place, where Linux finds them
        return "-accel", "kvm", "-cpu", "host,hv-relaxed=on" if on_azure else "host"
    return "-accel", TCG, "-cpu", f"{spec.processor},-hypervisor" if on_azure else spec.processor


def _smbios(instance: Instance | None) -> tuple[str, ...]:
    """Describe the machine as Azure's are: agents know them by the chassis' asset tag."""
    if instance is None:
        return ()
    system = (
        f"type=1,manufacturer={MANUFACTURER},product={PRODUCT},version={PRODUCT_VERSION},"
        f"uuid={instance.vm_id}"
    )
    return "-smbios", system, "-smbios", f"type=3,manufacturer={MANUFACTURER},asset={CHASSIS_ASSET_TAG}"


def _seed_device(instance: Instance | None) -> tuple[str, ...]:
    """Attach a seed as a disk, a DVD as a drive of which Debian's cloud kernel has the driver: not AHCI."""
    if instance is None:
        return "-device", "virtio-blk-pci,drive=seed"
    return "-device", "virtio-scsi-pci,id=scsi", "-device", "scsi-cd,bus=scsi.0,drive=seed"


def _firmware(firmware: Firmware | None) -> tuple[str, ...]:
    if firmware is None:
        return ()
    code = f"if=pflash,unit=0,format=raw,readonly=on,file={_escaped(firmware.code)}"
    variables = f"if=pflash,unit=1,format=raw,file={_escaped(firmware.variables)}"
    return "-drive", code, "-drive", variables


def _network(device: Device) -> tuple[str, ...]:
    kind = "tap,id=network,fd=" if device.is_tap else "stream,id=network,server=off,addr.type=fd,addr.str="
    # without its ROM the firmware does not try to boot from the network
    card = f"virtio-net-pci,netdev=network,mac={device.mac},romfile="
    return "-netdev", f"{kind}{device.descriptor}", "-device", card


def _disk(disk: Path) -> str:
    """Describe the disk that the machine writes.

    The guest's flushes are not passed on (``no-flush``): a layer is flushed once, when it is frozen, and
    a disk that a crash of the host tears is thrown away in any case. The end of QEMU alone loses nothing,
    for the host's page cache outlives it.
    """
    access = {"discard": "unmap", "cache": {"direct": False, "no-flush": True}}
    return json.dumps(
        {
            "driver": "qcow2",
            "node-name": "layer0",
            "detect-zeroes": "unmap",
            **access,
            "file": {"driver": "file", "filename": str(disk), **access},
        }
    )


def _seed(seed: Path) -> str:
    return json.dumps(
        {
            "driver": "raw",
            "node-name": "seed",
            "read-only": True,
            "file": {"driver": "file", "filename": str(seed), "read-only": True},
        }
    )


def _escaped(path: Path) -> str:
    """Return a path for QEMU's option lists, in which a comma is doubled."""
    return str(path).replace(",", ",,")
