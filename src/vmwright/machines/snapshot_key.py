"""What a memory snapshot is made of: virtual machines with the same key may go on from the same memory."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.errors import MachineError
from vmwright.machines import netns
from vmwright.machines.firmware import require_firmware
from vmwright.machines.machine import Accelerator
from vmwright.machines.network import NetworkMode
from vmwright.machines.qemu_arguments import MACHINE, PROGRAM
from vmwright.machines.vm_network import has_ipv6, name_servers
from vmwright.process import run
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from vmwright.machines.machine import MachineSpec

# Of the devices and their order, of the seed's contents, of what is done before the memory is saved (also the
# script that is put there) and of what is kept beside it: to be raised with each change of them.
LAYOUT = 3
QUESTIONS = b"""\
{"execute": "qmp_capabilities"}
{"execute": "query-machines"}
{"execute": "quit"}
"""
ASK_SECONDS = 20.0
CPU_INFO = Path("/proc/cpuinfo")
# of each processor's description, what a guest of KVM sees of it
CPU_LINES = ("vendor_id", "cpu family", "model", "stepping", "microcode", "flags")


@dataclass(frozen=True, slots=True)
class QemuVersion:
    """The QEMU of this host: its exact version, and the type of machine that ``MACHINE`` stands for in it."""

    version: str
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotKey:
    """All that a guest's memory depends on.

    :param source: the digest of the base disk; ``disk_bytes``: the size of the disk that the guest sees.
    :param qemu, machine: the exact version, and the machine type with its version.
    :param processor: what is emulated; with KVM, what the host's processor and kernel are.
    :param firmware: which UEFI firmware; "" for BIOS.
    :param network: its mode and what the guest was told of it by DHCP.
    :param provisioning: what the guest was told about itself, beside names and keys.
    """

    source: str
    disk_bytes: int
    qemu: str
    machine: str
    accelerator: str
    processor: str
    cpus: int
    memory_mib: int
    firmware: str
    network: tuple[str, ...]
    provisioning: tuple[str, ...]
    user: str
    layout: int = LAYOUT

    @property
    def digest(self) -> str:
        """The name of the snapshot: SHA-256 in lower-case hex."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def obstacle(spec: MachineSpec) -> str | None:
    """Return why a machine cannot go on from a memory snapshot, or None where it can."""
    if spec.network.mode is NetworkMode.BRIDGE:
        return "on a bridge of the host its address is not ours to keep"
    return None


async def key_of(spec: MachineSpec, *, source: str, disk_bytes: int) -> SnapshotKey:
    """Return the key of a machine that is to start on a disk of ``disk_bytes`` over the base disk ``source``.

    :raises MachineError: QEMU does not say what it is.
    """
    qemu, without_namespace = await asyncio.gather(qemu_version(), netns.obstacle())
    servers = name_servers(spec.network, has_namespace=without_namespace is None)
    azure = spec.azure if without_namespace is None else None
    return SnapshotKey(
        source=source,
        disk_bytes=disk_bytes,
        qemu=qemu.version,
        machine=qemu.machine,
        accelerator=spec.accelerator,
        processor=_processor() if spec.accelerator is Accelerator.KVM else spec.processor,
        cpus=spec.cpus,
        memory_mib=spec.memory_mib,
        firmware=_firmware(spec.generation),
        network=(spec.network.mode, f"ipv6={has_ipv6()}", *servers),
        provisioning=("azure", azure.location, azure.vm_size) if azure else ("nocloud",),
        user=spec.user,
    )


async def qemu_version() -> QemuVersion:
    """Ask QEMU what it is, without starting a machine.

    :raises MachineError: it does not say.
    """
    asked = await run(
        [PROGRAM, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"],
        timeout=ASK_SECONDS,
        stdin=QUESTIONS,
        hint="apt-get install qemu-system-x86",
    )
    return read_version(asked.stdout)


def read_version(said: bytes) -> QemuVersion:
    """Read QEMU's answers, a line of JSON each.

    :raises MachineError: they are not what QEMU answers.
    """
    try:
        greeting, _, machines, *_ = (json.loads(line) for line in said.splitlines())
        version = greeting["QMP"]["version"]
        numbers = ".".join(str(version["qemu"][name]) for name in ("major", "minor", "micro"))
        machine = next(str(each["name"]) for each in machines["return"] if each.get("alias") == MACHINE)
    except (ValueError, LookupError, TypeError, StopIteration):
        raise MachineError(f"QEMU does not say what it is: {said[:200]!r}") from None
    return QemuVersion(f"{numbers} {version['package']}".strip(), machine)


def _processor() -> str:
    first, _, _ = CPU_INFO.read_text().partition("\n\n")
    seen = [line for line in first.splitlines() if line.partition(":")[0].strip() in CPU_LINES]
    return hashlib.sha256("\n".join([platform.release(), *seen]).encode()).hexdigest()


def _firmware(generation: Generation) -> str:
    if generation is Generation.V1:
        return ""
    code = require_firmware().code
    found = code.stat()
    return f"{code} {found.st_size} {found.st_mtime_ns}"
