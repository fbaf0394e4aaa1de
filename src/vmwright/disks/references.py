"""Disk files that name other files: a disk from outside must not, or files of this host get into images.

A qcow2 may have a backing file or an external data file; a VMDK may be a mere list of other files, or have a
parent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

QCOW2_HEAD = 104
QCOW2_BACKING = slice(8, 16)
QCOW2_VERSION = slice(4, 8)
QCOW2_WITH_FEATURES = 3
QCOW2_INCOMPATIBLE = slice(72, 80)
QCOW2_EXTERNAL_DATA_FILE = 1 << 2

SECTOR = 512
VMDK_CAPACITY = slice(12, 20)
VMDK_DESCRIPTOR = slice(28, 36)
VMDK_DESCRIPTOR_SECTORS = slice(36, 44)
# VMware writes 20 sectors; whatever claims to have far more is no description of a disk
VMDK_MOST_SECTORS = 256
VMDK_PARENT = b"parentfilenamehint"


def refuse_in_qcow2(path: Path) -> None:
    """Refuse a qcow2 that names other files.

    :raises SourceError: it has a backing file or an external data file.
    """
    with path.open("rb") as file:
        head = file.read(QCOW2_HEAD)
    if int.from_bytes(head[QCOW2_BACKING]):
        raise _refusal(path, "a backing file")
    newer = int.from_bytes(head[QCOW2_VERSION]) >= QCOW2_WITH_FEATURES
    if newer and int.from_bytes(head[QCOW2_INCOMPATIBLE]) & QCOW2_EXTERNAL_DATA_FILE:
        raise _refusal(path, "an external data file")


def refuse_in_vmdk(path: Path) -> None:
    """Refuse a sparse VMDK (it begins with ``KDMV``) that names other files.

    :raises SourceError: it holds no disk of its own, or has a parent.
    """
    with path.open("rb") as file:
        head = file.read(SECTOR)
        sectors = int.from_bytes(head[VMDK_DESCRIPTOR_SECTORS], "little")
        if int.from_bytes(head[VMDK_CAPACITY], "little") == 0 or sectors > VMDK_MOST_SECTORS:
            raise _refusal(path, "other files that hold its contents")
        file.seek(int.from_bytes(head[VMDK_DESCRIPTOR], "little") * SECTOR)
        if VMDK_PARENT in file.read(sectors * SECTOR).lower():
            raise _refusal(path, "a parent disk")


def _refusal(path: Path, what: str) -> SourceError:
    return SourceError(
        f"{path.name} refers to {what}: a source disk must be one whole file",
        target=str(path),
        hint=f"make one file of it where it was made: qemu-img convert -O qcow2 {path.name} whole.qcow2",
    )
