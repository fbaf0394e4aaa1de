"""What the container machine needs of this host and of a disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.errors import MachineError, ProcessError
from vmwright.machines.cgroup_trees import hierarchies

if TYPE_CHECKING:
    from vmwright.artifacts.foreign_tree import ForeignTree

SECONDS = 10.0
SYS_ADMIN = 21
IDMAPPED_MOUNTS = (5, 12)
OWNERSHIP_BY_MAP = 249
ENTRY_FIELDS = 4
# swap is not the image's, the ESP is the boot loader's (a change of boot files is finished in a VM) and
# Azure's temporary disk is not there at a build
NOT_MISSED = frozenset({"/", "none", "swap", "/boot/efi", "/efi", "/mnt", "/mnt/resource"})

PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "qemu-storage-daemon": "qemu-utils or qemu-system-common",
    "pasta": "passt",
    "nsenter": "util-linux",
    "losetup": "mount",
    "fstrim": "util-linux",
    "sfdisk": "fdisk",
    "blkid": "util-linux",
    "e2fsck": "e2fsprogs",
}


async def obstacle() -> str | None:
    """Return why containers cannot run builds on this host, None where nothing speaks against it.

    Takes some milliseconds and starts no container.
    """
    for program, package in PACKAGES.items():
        if process.which(program) is None:
            return f"{program} is not installed (package {package})"
    return _kernel_obstacle() or await _versions_obstacle()


def refuse_other_partitions(tree: ForeignTree) -> None:
    """Refuse a guest whose fstab mounts more partitions than its root: only that is mounted in a container.

    A kernel installed into the folder over which a VM mounts /boot would not be seen again.

    :raises MachineError: it has such a partition.
    """
    fstab = b""
    with contextlib.suppress(OSError):
        fstab = tree.read("/etc/fstab")
    missed = missed_mounts(fstab.decode(errors="replace"))
    if missed:
        raise MachineError(
            f"The disk has partitions that a container does not mount: {', '.join(missed)}",
            hint="`--machine vm` mounts all that /etc/fstab says",
        )


def missed_mounts(fstab: str) -> tuple[str, ...]:
    """Return where an fstab mounts local disks that a container would miss."""
    found = []
    for line in fstab.splitlines():
        entry = line.split()
        if len(entry) < ENTRY_FIELDS or entry[0].startswith("#"):
            continue
        device, where, _, options = entry[:ENTRY_FIELDS]
        local = device.startswith(("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="))
        if local and where not in NOT_MISSED and "noauto" not in options.split(","):
            found.append(where)
    return tuple(found)


def _kernel_obstacle() -> str | None:
    if os.geteuid() != 0 or not _capable(SYS_ADMIN):
        return "only root may mount disks and start containers"
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not Path(device).exists():
            return f"{device} is not there"
    if _numbers(os.uname().release) < IDMAPPED_MOUNTS:
        return f"the kernel {os.uname().release} has no mounts with mapped user ids (5.12 or later has)"
    namespaces = Path("/proc/sys/user/max_user_namespaces")
    if not namespaces.exists() or namespaces.read_text().strip() == "0":
        return "the kernel gives no user namespaces"
    trees = hierarchies()
    if not any(tree.is_systemds for tree in trees) or not all(
        os.access(tree.root, os.W_OK) for tree in trees
    ):
        return "cgroups cannot be made"
    return None


async def _versions_obstacle() -> str | None:
    try:
        nspawn, daemon = await asyncio.gather(
            process.run(["systemd-nspawn", "--version"], timeout=SECONDS),
            process.run(["qemu-storage-daemon", "--help"], timeout=SECONDS),
        )
    except ProcessError as error:
        return error.message
    version = _numbers(nspawn.text.partition(" ")[2])
    if version < (OWNERSHIP_BY_MAP,):
        return f"systemd-nspawn is older than {OWNERSHIP_BY_MAP}: it cannot map a disk's user ids"
    if b"fuse" not in daemon.stdout:
        return "qemu-storage-daemon is built without FUSE exports"
    return None


def _capable(capability: int) -> bool:
    status = Path("/proc/self/status").read_text()
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    return bool(effective and int(effective[1], 16) >> capability & 1)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 6.1.0-50-amd64 -> (6, 1, 0)."""
    leading = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in leading[0].split(".")) if leading else ()
