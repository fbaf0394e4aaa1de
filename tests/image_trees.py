"""Comparing the file trees of two images: content, mode, owner, extended attributes.

EXCEPTIONS is the one list of what may differ between two builds of a template, each with its reason.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

from vmwright.disks.attach import AttachedRoot
from vmwright.disks.qemu_img import create_overlay, info
from vmwright.disks.storage_daemon import StorageDaemon
from vmwright.state.resources import Ledger

EXCEPTIONS = {
    "/var/log/**": "logs tell when things happened",
    "/var/cache/apt/*.bin": "apt's binary caches hold times of files",
    "/var/lib/apt/periodic/*": "stamps of times",
    "/var/lib/apt/lists/**": "what the archive says may change between two builds",
    "/var/lib/systemd/timers/*": "stamps of times",
    "/var/lib/systemd/timesync/**": "the clock is set in a VM only; a container has the host's",
    "/var/lib/systemd/catalog/database": "an index that holds times",
    "/var/cache/ldconfig/aux-cache": "inode numbers and times of files",
    "/etc/ld.so.cache": "rebuilt by each installation, in the order of directory entries",
    "/etc/mailcap": "rebuilt by each installation",
    "/var/cache/debconf/config.dat*": "cloud-init tells debconf which disk of the VM GRUB is on",
    "/var/cache/debconf/templates.dat*": "the questions to which those are the answers",
    "/etc/sudoers.d": "cloud-init closes it to others when it writes the rule of a user",
    "/etc/ssh/sshd_config.d/50-cloud-init.conf": "Azure's DVD has cloud-init refuse passwords, in a VM only",
    "/lost+found": "an empty folder of the file system",
}

Entry = tuple[str, int, int, str, tuple[tuple[str, bytes], ...]]


@contextlib.asynccontextmanager
async def mounted(disk: Path, work: Path, ledger: Ledger) -> AsyncIterator[Path]:
    """Mount the root of an image (through an overlay, so that it stays as it is)."""
    work.mkdir(mode=0o700)
    overlay = work / "look.qcow2"
    await create_overlay(overlay, backing=disk, backing_format=(await info(disk)).format)
    async with (
        StorageDaemon(overlay, work / "look.raw", ledger) as daemon,
        AttachedRoot(daemon.raw, work / "root", ledger) as root,
    ):
        yield root.seen


def tree_of(root: Path) -> dict[str, Entry]:
    """Return every file of a tree by its path: kind and mode, owner, group, content, extended attributes."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder) / name
            found[f"/{path.relative_to(root)}"] = _entry(path)
    return found


def differences(one: dict[str, Entry], other: dict[str, Entry]) -> list[str]:
    """Name what differs between two trees and is no exception."""
    return [
        f"{path}: {_short(one.get(path))} / {_short(other.get(path))}"
        for path in sorted(one.keys() | other.keys())
        if one.get(path) != other.get(path) and not _excepted(path)
    ]


def _entry(path: Path) -> Entry:
    status = path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    content = ""
    if kind == stat.S_IFREG:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    elif kind == stat.S_IFLNK:
        content = str(path.readlink())
    names = os.listxattr(path, follow_symlinks=False)
    attributes = tuple(sorted((name, os.getxattr(path, name, follow_symlinks=False)) for name in names))
    return (stat.filemode(status.st_mode), status.st_uid, status.st_gid, content, attributes)


def _excepted(path: str) -> bool:
    return any(
        fnmatch.fnmatch(path, pattern.replace("**", "*")) or path == pattern.removesuffix("/**")
        for pattern in EXCEPTIONS
    )


def _short(entry: Entry | None) -> str:
    return "not there" if entry is None else f"{entry[0]} {entry[1]}:{entry[2]} {entry[3][:12]}"
