"""qemu-img: what a disk file is, where its data is, overlays, comparing; see also ``conversion``.

The format of a file is read from its own first bytes and then told to QEMU, which never guesses: whoever
writes a raw disk can write the header of a qcow2 there, and with it name any file of this host as backing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from vmwright.disks.references import refuse_in_qcow2, refuse_in_vmdk
from vmwright.disks.vhd import is_fixed_vhd
from vmwright.errors import BuildError, SourceError
from vmwright.process import run

QUICK = 60.0
LONG = 4 * 3600.0
HINT = "install qemu-utils"

Argv = list[str | os.PathLike[str]]


class DiskFormat(StrEnum):
    """Formats of disk files, by QEMU's names; ``vpc`` is a VHD."""

    QCOW2 = "qcow2"
    RAW = "raw"
    VHD = "vpc"
    VHDX = "vhdx"
    VMDK = "vmdk"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskInfo:
    """What a disk file is: sizes in bytes; ``actual_size`` is what it takes on this host."""

    format: DiskFormat
    virtual_size: int
    actual_size: int
    backing: Path | None = None


_MAGIC = {
    b"QFI\xfb": DiskFormat.QCOW2,
    b"conectix": DiskFormat.VHD,
    b"vhdxfile": DiskFormat.VHDX,
    b"KDMV": DiskFormat.VMDK,
}
_FOREIGN_MAGIC = {b"COWD": "VMDK", b"# Disk DescriptorFile": "VMDK", b"<<< ": "VDI", b"QED\0": "QED"}
_HEAD_BYTES = 32


async def info(path: Path) -> DiskInfo:
    """Say what a disk file of our own making is; it may have a backing file.

    :raises SourceError: it is in a format that vmwright does not read.
    """
    disk_format = sniff(path)
    said = await _info(path, disk_format)
    backing = said.get("full-backing-filename") or said.get("backing-filename")
    return DiskInfo(
        format=disk_format,
        virtual_size=int(said["virtual-size"]),
        actual_size=int(said["actual-size"]),
        backing=Path(backing) if backing else None,
    )


async def foreign_info(path: Path) -> DiskInfo:
    """Say what a disk file that somebody else made is.

    :raises SourceError: it names other files (a backing or an external data file), which would put files
        of this host into the image; or its format is not read here.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise SourceError(f"{path} is not a disk: no file, or an empty one", target=str(path))
    match sniff(path):
        case DiskFormat.QCOW2:
            refuse_in_qcow2(path)
        case DiskFormat.VMDK:
            refuse_in_vmdk(path)
    return await info(path)


def sniff(path: Path) -> DiskFormat:
    """Return the format of a disk file from its first bytes (a fixed VHD: its last).

    :raises SourceError: it is in a format that vmwright does not read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for magic, name in _FOREIGN_MAGIC.items():
        if head.startswith(magic):
            raise SourceError(
                f"{path.name} is a {name} disk, which vmwright does not read",
                target=str(path),
                hint=f"convert it first: qemu-img convert -O qcow2 {path} {path.with_suffix('.qcow2').name}",
            )
    for magic, disk_format in _MAGIC.items():
        if head.startswith(magic):
            return disk_format
    return DiskFormat.VHD if is_fixed_vhd(path) else DiskFormat.RAW


async def create_overlay(
    path: Path, *, backing: Path, backing_format: DiskFormat, size: int | None = None
) -> None:
    """Make an empty qcow2 over ``backing`` (recorded with its absolute path).

    :param size: bytes of the disk the guest sees; without it the backing disk's.
    """
    options = f"backing_fmt={backing_format},lazy_refcounts=on"
    argv: Argv = [
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        options,
        "-b",
        str(backing.absolute()),
        path,
    ]
    if size:
        argv.append(str(size))
    await run(argv, timeout=QUICK, hint=HINT)


async def set_backing(path: Path, *, backing: Path, backing_format: DiskFormat) -> None:
    """Write into a qcow2 where its backing file is (absolute), which must have the bytes that it had."""
    argv: Argv = [
        "qemu-img", "rebase", "-u", "-f", "qcow2", "-F", backing_format, "-b", str(backing.absolute()), path,
    ]  # fmt: skip
    await run(argv, timeout=QUICK, hint=HINT)


async def extents(disk: Path, disk_format: DiskFormat) -> list[dict[str, Any]]:
    """Return where the data of a disk is, by its places: what ``qemu-img map`` says, ``depth`` in ``chain``.

    :raises ProcessError: in qemu-img's words (a table of the disk is damaged, for one).
    """
    return await _asked("map", "-f", disk_format, disk.absolute())


async def chain(disk: Path, disk_format: DiskFormat) -> list[dict[str, Any]]:
    """Return what ``qemu-img info`` says of a disk and all of its backing files, from the top.

    :raises ProcessError: in qemu-img's words.
    """
    return await _asked("info", "-U", "--backing-chain", "-f", disk_format, disk.absolute())


async def compare(one: Path, other: Path) -> bool:
    """Return whether two disks have the same contents (zeros at the end of the longer one do not count)."""
    formats = sniff(one), sniff(other)
    argv: Argv = ["qemu-img", "compare", "-f", formats[0], "-F", formats[1], one.absolute(), other.absolute()]
    ended = await run(argv, timeout=LONG, check=False, hint=HINT)
    if ended.returncode not in {0, 1}:
        raise BuildError(
            f"{one.name} and {other.name} could not be compared: {ended.stderr.decode().strip()}"
        )
    return ended.returncode == 0


async def _info(path: Path, disk_format: DiskFormat) -> dict[str, Any]:
    ended = await run(
        ["qemu-img", "info", "--output=json", "-U", "-f", disk_format, path.absolute()],
        timeout=QUICK,
        check=False,
        hint=HINT,
    )
    if ended.returncode != 0:
        raise SourceError(
            f"{path.name} cannot be read as a {disk_format} disk: {ended.stderr.decode().strip()}",
            target=str(path),
        )
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


async def _asked(question: str, *arguments: str | Path) -> list[dict[str, Any]]:
    ended = await run(["qemu-img", question, "--output=json", *arguments], timeout=QUICK, hint=HINT)
    said: list[dict[str, Any]] = json.loads(ended.stdout)
    return said
