"""What a disk is: its guest and how it boots, read from the disk itself.

What a user says of a disk, its name or its extension are not believed. Linux roots on ext2/3/4 are read
without root or mounts; those on xfs and btrfs are mounted for a moment, which takes root.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.artifacts.facts import ImageFacts, Provisioning
from vmwright.disks.filetree import ExtFiles, FatFiles, LinuxFiles, MountedFiles
from vmwright.disks.partitions import FileSystem, Partition, PartitionTable, TableLabel, probe, read_table
from vmwright.disks.provisioned_by import CLOUD_INIT, CONFIGURATION, FOLDER, WAAGENT, provisioned_by
from vmwright.disks.qemu_img import foreign_info
from vmwright.disks.rawview import RawView, raw_view
from vmwright.disks.readonly import MOUNTABLE, mounted_read_only
from vmwright.disks.vhd import MIB
from vmwright.errors import SourceError
from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vmwright.state.resources import Ledger

EXT = frozenset({"ext2", "ext3", "ext4"})
BOOT_CODE = slice(0, 440)
ELF_MACHINE = slice(18, 20)
ARCHITECTURES = {0x3E: "x86_64", 0xB7: "aarch64"}
UEFI_LOADERS = {"x86_64": "BOOTX64.EFI", "aarch64": "BOOTAA64.EFI"}
PROGRAMS = ("/usr/lib/systemd/systemd", "/usr/bin/env", "/usr/bin/busybox", "/bin/busybox", "/bin/bash")
SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
UNREADABLE = {
    "crypto_LUKS": "its root is encrypted (LUKS)",
    "BitLocker": "it is encrypted (BitLocker)",
    "LVM2_member": "its root is on LVM",
    "linux_raid_member": "its root is on a software RAID",
}
# where a root may lie below what is mounted: "" also for openSUSE, whose root is the default subvolume;
# Fedora's, then those of Ubuntu and of Debian's installer
ROOTS = {"xfs": ("",), "btrfs": ("", "root", "@", "@rootfs")}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts:
    """What a disk is.

    :param os_name: for people: PRETTY_NAME of os-release.
    :param os_id: ID of os-release (``debian``), or ``windows``.
    :param generation: what an image of this disk is: V1 wherever BIOS can boot it, as Azure presumes.
    :param boots: all generations that can boot it.
    :param virtual_size: bytes of the disk that the guest sees.
    :param root: the partition with the operating system.
    :param architecture: ``x86_64``, ``aarch64``; "" where no program told.
    """

    os_type: OsType
    os_name: str
    os_id: str
    generation: Generation
    boots: frozenset[Generation]
    virtual_size: int
    label: TableLabel
    root: Partition
    root_system: FileSystem
    architecture: str
    has_waagent: bool = False
    has_cloud_init: bool = False
    has_systemd: bool = False
    provisioning: Provisioning = Provisioning.NOCLOUD

    @property
    def image(self) -> ImageFacts:
        """What is kept of them for an image of this disk."""
        return ImageFacts(
            os_type=self.os_type,
            os_name=self.os_name,
            generation=self.generation,
            size_bytes=self.virtual_size,
            provisioning=self.provisioning,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Linux:
    partition: Partition
    system: FileSystem
    release: dict[str, str]
    architecture: str
    has_waagent: bool
    has_cloud_init: bool
    has_systemd: bool
    provisioning: Provisioning

    @property
    def name(self) -> str:
        return self.release.get("PRETTY_NAME") or self.release.get("NAME") or "Linux"


async def inspect(path: Path, *, work: Path, ledger: Ledger) -> DiskFacts:
    """Say what a disk is: one whole qcow2, raw, VHD or VHDX file.

    :param work: an existing folder, its caller's to remove, for partial copies (sparse; at most the root
        partition's contents) and mounts.
    :raises SourceError: it holds no operating system, or one that cannot be read; with what was found.
    """
    disk = await foreign_info(path)
    view = raw_view(path, disk, work=work)
    await view.fill(0, MIB)
    await view.fill(disk.virtual_size - MIB, MIB)
    table = await read_table(view.path)
    systems = await _file_systems(view, table)
    if linux := await _linux(view, systems, work=work, ledger=ledger):
        boots = await _boots(view, table, UEFI_LOADERS.get(linux.architecture, ""))
        return _linux_facts(linux, table, boots, disk.virtual_size)
    if windows := next((part for part, held in systems.items() if held.type == "ntfs"), None):
        boots = await _boots(view, table, UEFI_LOADERS["x86_64"])
        return _windows_facts(windows, systems[windows], table, boots, disk.virtual_size)
    raise _no_system(path, systems)


async def _file_systems(view: RawView, table: PartitionTable) -> dict[Partition, FileSystem]:
    """Return what the partitions hold, the largest first (a recovery partition is no Windows)."""
    found = {}
    for partition in sorted(table.partitions, key=lambda part: part.size, reverse=True):
        await view.fill(partition.start, MIB)
        if system := await probe(view.path, partition):
            found[partition] = system
    return found


async def _linux(
    view: RawView, systems: dict[Partition, FileSystem], *, work: Path, ledger: Ledger
) -> _Linux | None:
    # ext first: beside an ext4 root, nothing needs to be mounted
    for partition, system in sorted(systems.items(), key=lambda item: item[1].type not in EXT):
        async with _trees(view, partition, system, work=work, ledger=ledger) as trees:
            for files in trees:
                text = await files.read("/usr/lib/os-release") or await files.read("/etc/os-release")
                if release := _read_release(text.decode(errors="replace")):
                    return await _read_linux(files, release, partition, system)
    return None


async def _read_linux(
    files: LinuxFiles, release: dict[str, str], partition: Partition, system: FileSystem
) -> _Linux:
    has_waagent, has_cloud_init = await _has_any(files, WAAGENT), await _has_any(files, CLOUD_INIT)
    settings = [f"{FOLDER}/{name}" for name in await files.names(FOLDER) if name.endswith(".cfg")]
    texts = [(await files.read(path)).decode(errors="replace") for path in (CONFIGURATION, *settings)]
    return _Linux(
        partition=partition,
        system=system,
        release=release,
        architecture=await _architecture(files),
        has_waagent=has_waagent,
        has_cloud_init=has_cloud_init,
        has_systemd=await _has_any(files, SYSTEMD),
        provisioning=provisioned_by(
            has_waagent=has_waagent, has_cloud_init=has_cloud_init, configuration=texts
        ),
    )


@contextlib.asynccontextmanager
async def _trees(
    view: RawView, partition: Partition, system: FileSystem, *, work: Path, ledger: Ledger
) -> AsyncIterator[tuple[LinuxFiles, ...]]:
    """Give what may be Linux roots on a partition; none where its file system cannot be read."""
    if system.type in EXT:
        await view.fill(partition.start, partition.size)
        yield (ExtFiles(view.path, partition),)
    elif system.type in MOUNTABLE and os.geteuid() == 0:
        await view.fill(partition.start, partition.size)
        async with mounted_read_only(view.path, partition, system, work / "mounted", ledger) as folder:
            yield tuple(MountedFiles(folder / root) for root in ROOTS[system.type])
    else:
        yield ()


def _read_release(text: str) -> dict[str, str]:
    """Read os-release: assignments of a shell, quoted as a shell's."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): "".join(shlex.split(value)[:1]) for key, _, value in pairs}


async def _architecture(files: LinuxFiles) -> str:
    for program in PROGRAMS:
        head = (await files.read(program))[:64]
        if head.startswith(b"\x7fELF"):
            return ARCHITECTURES.get(int.from_bytes(head[ELF_MACHINE], "little"), "")
    return ""


async def _boots(view: RawView, table: PartitionTable, loader: str) -> frozenset[Generation]:
    """Return which firmware finds a boot loader on the disk."""
    found = set()
    with view.path.open("rb") as file:
        has_code = any(file.read(BOOT_CODE.stop))
    if has_code and (table.label is TableLabel.MBR or table.bios_boot):
        found.add(Generation.V1)
    if table.esp:
        await view.fill(table.esp.start, table.esp.size)
        if await FatFiles(view.path, table.esp).exists(f"/EFI/BOOT/{loader}"):
            found.add(Generation.V2)
    return frozenset(found)


def _linux_facts(
    linux: _Linux, table: PartitionTable, boots: frozenset[Generation], virtual_size: int
) -> DiskFacts:
    return DiskFacts(
        os_type=OsType.LINUX,
        os_name=linux.name,
        os_id=linux.release.get("ID", "linux"),
        generation=_generation(boots, linux.name),
        boots=boots,
        virtual_size=virtual_size,
        label=table.label,
        root=linux.partition,
        root_system=linux.system,
        architecture=linux.architecture,
        has_waagent=linux.has_waagent,
        has_cloud_init=linux.has_cloud_init,
        has_systemd=linux.has_systemd,
        provisioning=linux.provisioning,
    )


async def _has_any(files: LinuxFiles, paths: tuple[str, ...]) -> bool:
    for path in paths:
        if await files.exists(path):
            return True
    return False


def _windows_facts(
    partition: Partition,
    system: FileSystem,
    table: PartitionTable,
    boots: frozenset[Generation],
    virtual_size: int,
) -> DiskFacts:
    return DiskFacts(
        os_type=OsType.WINDOWS,
        os_name="Windows",
        os_id="windows",
        generation=_generation(boots, "Windows"),
        boots=boots,
        virtual_size=virtual_size,
        label=table.label,
        root=partition,
        root_system=system,
        architecture="x86_64",
    )


def _generation(boots: frozenset[Generation], name: str) -> Generation:
    if not boots:
        raise SourceError(
            f"The disk holds {name}, but no boot loader that BIOS or UEFI would start",
            hint="a source must boot by itself; check its ESP for EFI/BOOT, or its boot sector",
        )
    return Generation.V1 if Generation.V1 in boots else Generation.V2


def _no_system(path: Path, systems: dict[Partition, FileSystem]) -> SourceError:
    for system in systems.values():
        if reason := UNREADABLE.get(system.type):
            return SourceError(
                f"{path.name} cannot be read: {reason}",
                target=str(path),
                hint="use a source whose root is on a plain partition: ext4, xfs or btrfs",
            )
        if system.type in MOUNTABLE and os.geteuid() != 0:
            return SourceError(
                f"{path.name} cannot be read: its root may be on {system.type}, which only root can mount",
                target=str(path),
                hint="run vmwright as root, or use a source whose root is a plain ext4 partition",
            )
    held = ", ".join(sorted({system.type for system in systems.values()})) or "nothing known"
    return SourceError(
        f"No operating system was found on {path.name} (its partitions hold: {held})",
        target=str(path),
        hint="a source is a disk with an installed and generalized operating system, shut down cleanly",
    )
