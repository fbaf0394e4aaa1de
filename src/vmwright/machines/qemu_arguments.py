"""QEMU's command line, from what a machine is to be. Pure: nothing is looked up or made here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.machines.machine import Accelerator

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.machines.firmware import Firmware
    from vmwright.machines.machine import MachineSpec

PROGRAM = "qemu-system-x86_64"
# translated code is kept in 1 GiB: with the default a boot of Debian takes a third longer
TCG = "tcg,thread=multi,tb-size=1024"
# a guest that breaks out of its devices finds no way to start programs or to gain rights
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """What a machine is attached to.

    :param disk: the qcow2 that it writes; ``seed``: the NoCloud image; both absolute.
    :param console: the file that gets what the guest writes to its serial port.
    :param firmware: UEFI with this machine's own variables, or None for BIOS.
    :param control: the open socket of QEMU's monitor; ``network``: that of its network device.
    """

    disk: Path
    seed: Path
    console: Path
    firmware: Firmware | None
    control: int
    network: int


def qemu_arguments(spec: MachineSpec, attached: Attachments) -> list[str]:
    """Return the whole command line of a machine."""
    return [
        PROGRAM,
        *("-name", spec.name),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-sandbox", SANDBOX),
        *("-machine", "q35"),
        *_processors(spec.accelerator),
        *("-smp", str(spec.cpus), "-m", f"{spec.memory_mib}M"),
        *("-rtc", "base=utc"),
        *_firmware(attached.firmware),
        *("-blockdev", _disk(attached.disk), "-device", "virtio-blk-pci,drive=layer0,bootindex=0"),
        *("-blockdev", _seed(attached.seed), "-device", "virtio-blk-pci,drive=seed"),
        *("-netdev", f"stream,id=network,server=off,addr.type=fd,addr.str={attached.network}"),
        # without its ROM the firmware does not try to boot from the network
        *("-device", "virtio-net-pci,netdev=network,romfile="),
        *("-object", "rng-random,id=random,filename=/dev/urandom"),
        *("-device", "virtio-rng-pci,rng=random"),
        *("-device", "vmgenid,guid=auto"),
        *("-serial", f"file:{_escaped(attached.console)}"),
        *("-chardev", f"socket,id=control,fd={attached.control}"),
        *("-mon", "chardev=control,mode=control"),
    ]


def _processors(accelerator: Accelerator) -> tuple[str, ...]:
    """Name the accelerator and nothing to fall back to: a fall-back would be silent."""
    if accelerator is Accelerator.KVM:
        return "-accel", "kvm", "-cpu", "host"
    return "-accel", TCG, "-cpu", "max"


def _firmware(firmware: Firmware | None) -> tuple[str, ...]:
    if firmware is None:
        return ()
    code = f"if=pflash,unit=0,format=raw,readonly=on,file={_escaped(firmware.code)}"
    variables = f"if=pflash,unit=1,format=raw,file={_escaped(firmware.variables)}"
    return "-drive", code, "-drive", variables


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
