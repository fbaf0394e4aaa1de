"""What this host can do: programs, rights, KVM, room. Data only; ``vmwright doctor`` prints it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.errors import ProcessError, UnsupportedError
from vmwright.machines import netns
from vmwright.machines.choice import Choice, choose
from vmwright.machines.firmware import find_firmware
from vmwright.machines.probe import CACHE_NAME, KvmVerdict, find_kernel, probe_kvm
from vmwright.machines.qemu_arguments import PROGRAM
from vmwright.machines.sizes import Capacity, host_capacity
from vmwright.process import run, which
from vmwright.settings import MachineChoice
from vmwright.template.model import OsType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmwright.settings import Settings

# a number after a hyphen is a licence's (agpl-3.0); passt counts in days (2024_02_20)
VERSION = re.compile(r"(?<![-\d.])\d+(\.\d+)+|\d{4}_\d\d_\d\d")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program (or set of files) that builds need: its name, Debian package, and what it is for."""

    name: str
    package: str
    purpose: str
    version_flag: str = "--version"


@dataclass(frozen=True, slots=True)
class ToolState:
    """A tool on this host; ``version`` is "" where it does not tell, None where the tool is missing."""

    tool: Tool
    version: str | None

    @property
    def found(self) -> bool:
        """Whether the tool is there."""
        return self.version is not None


@dataclass(frozen=True, slots=True)
class Ability:
    """Something the host's kernel allows or not, with the reason."""

    name: str
    usable: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """All that is known of this host.

    :param machine: what ``auto`` takes for a Linux source, None where nothing can run (``machine_reason``).
    :param free_bytes: room on the disk below the home folder.
    """

    tools: tuple[ToolState, ...]
    root: bool
    kvm: KvmVerdict
    abilities: tuple[Ability, ...]
    capacity: Capacity
    free_bytes: int
    container_reason: str | None
    vm_reason: str | None
    machine: Choice | None
    machine_reason: str

    @property
    def missing_packages(self) -> tuple[str, ...]:
        """The Debian packages that would add what is missing, in order, each once."""
        return tuple(dict.fromkeys(state.tool.package for state in self.tools if not state.found))

    @property
    def install_command(self) -> str | None:
        """The one command that adds everything that is missing."""
        packages = self.missing_packages
        sudo = "" if self.root else "sudo "
        return f"{sudo}apt-get install --no-install-recommends {' '.join(packages)}" if packages else None


QEMU = Tool(PROGRAM, "qemu-system-x86", "virtual machines")
QEMU_IMG = Tool("qemu-img", "qemu-utils", "disks")
PASST = Tool("passt", "passt", "the network of virtual machines")
PROGRAMS = (
    QEMU,
    QEMU_IMG,
    Tool("qemu-storage-daemon", "qemu-utils", "disks of containers"),
    Tool("systemd-nspawn", "systemd-container", "containers"),
    PASST,
    Tool("pasta", "passt", "the networks of machines"),
    Tool("ip", "iproute2", "the networks of machines", ""),
    Tool("mmdebstrap", "mmdebstrap", "source disks from Debian's packages"),
    Tool("arch-test", "arch-test", "source disks from Debian's packages", ""),
    Tool("mke2fs", "e2fsprogs", "source disks: root file systems", "-V"),
    Tool("debugfs", "e2fsprogs", "reading file systems without mounting them", "-V"),
    Tool("sfdisk", "fdisk", "source disks: partitions"),
    Tool("mkfs.vfat", "dosfstools", "source disks: EFI partitions", "--help"),
    Tool("mcopy", "mtools", "source disks: EFI partitions"),
    Tool("fusermount3", "fuse3", "disks of containers"),
    Tool("newuidmap", "uidmap", "source disks made without root", ""),
    Tool("ssh", "openssh-client", "logging in to machines that are kept", "-V"),
)
OVMF = Tool("OVMF", "ovmf", "UEFI, generation V2")


async def survey(settings: Settings, *, container_reason: str | None) -> HostReport:
    """Look at this host; the first time takes up to 10 seconds, for KVM is tried.

    :param container_reason: what ``machines.container`` says keeps containers from running, or None.
    """
    home = settings.home
    tools = (*await asyncio.gather(*map(_state_of, PROGRAMS)), _firmware_state())
    vm_reason = reason_against_vm(tools)
    kvm = await kvm_verdict(settings) if vm_reason is None else KvmVerdict(usable=False, reason=vm_reason)
    machine, reason = _auto(kvm, container_reason, vm_reason)
    return HostReport(
        tools=tools,
        root=os.geteuid() == 0,
        kvm=kvm,
        abilities=(_fuse(), await _user_namespaces(), await _network_namespaces(), _cgroup()),
        capacity=host_capacity(),
        free_bytes=shutil.disk_usage(_nearest(home)).free,
        container_reason=container_reason,
        vm_reason=vm_reason,
        machine=machine,
        machine_reason=reason,
    )


async def kvm_verdict(settings: Settings) -> KvmVerdict:
    """Return whether KVM works here, from the cache below the home folder where it is known."""
    return await probe_kvm(find_kernel(settings.home), cache=settings.home / CACHE_NAME)


def reason_against_vm(tools: Iterable[ToolState] | None = None) -> str | None:
    """Return why this host cannot run virtual machines, or None where it can."""
    if tools is None:
        missing = [tool for tool in (QEMU, QEMU_IMG, PASST) if which(tool.name) is None]
    else:
        needed = {QEMU, QEMU_IMG, PASST}
        missing = [state.tool for state in tools if state.tool in needed and not state.found]
    return f"{', '.join(tool.name for tool in missing)} not installed" if missing else None


def _auto(kvm: KvmVerdict, container_reason: str | None, vm_reason: str | None) -> tuple[Choice | None, str]:
    try:
        choice = choose(
            MachineChoice.AUTO,
            os_type=OsType.LINUX,
            kvm=kvm,
            container_reason=container_reason,
            vm_reason=vm_reason,
        )
    except UnsupportedError as error:
        return None, error.message
    return choice, choice.reason


async def _state_of(tool: Tool) -> ToolState:
    if which(tool.name) is None:
        return ToolState(tool, None)
    if not tool.version_flag:
        return ToolState(tool, "")
    try:
        finished = await run([tool.name, tool.version_flag], timeout=20, check=False)
    except ProcessError:
        return ToolState(tool, "")
    found = VERSION.search((finished.stdout + finished.stderr).decode(errors="replace"))
    return ToolState(tool, found.group() if found else "")


def _firmware_state() -> ToolState:
    return ToolState(OVMF, "" if find_firmware() else None)


def _fuse() -> Ability:
    device = Path("/dev/fuse")
    usable = os.access(device, os.R_OK | os.W_OK)
    return Ability("FUSE", usable, f"{device} can{'' if usable else 'not'} be opened")


async def _user_namespaces() -> Ability:
    try:
        await run(["unshare", "--user", "--map-root-user", "true"], timeout=10)
    except ProcessError as error:
        return Ability("user namespaces", usable=False, detail=error.message.splitlines()[-1].strip())
    return Ability("user namespaces", usable=True, detail="unshare --user works")


async def _network_namespaces() -> Ability:
    reason = await netns.obstacle()
    return Ability("network namespaces", usable=reason is None, detail=reason or "one of its own for each VM")


def _cgroup(folder: Path = Path("/sys/fs/cgroup")) -> Ability:
    for marker, name in (
        ("cgroup.controllers", "v2"),
        ("unified", "v1 with v2 beside it"),
        ("systemd", "v1"),
    ):
        if (folder / marker).exists():
            return Ability("control groups", usable=True, detail=name)
    return Ability("control groups", usable=False, detail=f"nothing is mounted at {folder}")


def _nearest(path: Path) -> Path:
    """Return the folder that is there: the home folder is made by the first build."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
