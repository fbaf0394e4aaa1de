"""What a guest boots from, as far as a container can spoil it: compared before and after the steps.

In a container the files are read from this host, in a VM by the guest; both give the same. Kernels and
initramfs are not read, which would be most of what a container's boot reads: they are known by their inode.

A container has no boot loader, no ESP and no block devices: what ``update-grub``, a kernel's or a boot
loader's package writes in it may not boot. A build in which these files have changed is finished in a VM.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.artifacts.foreign_tree import ForeignTree, Stamp
    from vmwright.guests.linux import LinuxGuest

BootFiles = Mapping[str, str]
"""Path -> digest of its contents, or what its inode says of a large one (number, size, time of change).

For a kernel's modules, their folder -> digest of their names.
"""

LARGE = 1 << 20  # a whole number of KiB

MODULES = PurePosixPath("/lib/modules")
WATCHED = (
    "/boot",
    "/etc/crypttab",
    "/etc/default/grub",
    "/etc/default/grub.d",
    "/etc/dracut.conf",
    "/etc/dracut.conf.d",
    "/etc/fstab",
    "/etc/grub.d",
    "/etc/initramfs-tools",
    "/etc/kernel",
    "/etc/lvm/lvm.conf",
    "/etc/mdadm",
)

# How a machine that boots the disk writes them anew; for root.
WRITE_INITRAMFS = """\
set -e
if command -v update-initramfs >/dev/null 2>&1; then
    update-initramfs -u -k all
elif command -v dracut >/dev/null 2>&1; then
    dracut --force --regenerate-all
fi
"""
WRITE_GRUB = """\
set -e
if command -v update-grub >/dev/null 2>&1; then
    update-grub
elif command -v grub2-mkconfig >/dev/null 2>&1; then
    grub2-mkconfig -o /boot/grub2/grub.cfg
fi
"""

# GRUB's own memory, which also the guest's boot writes
NOT_WATCHED = "grubenv"
# What is behind another mount is not the disk's. Paths that are not there are find's errors, and no news.
READ = f"""
watched() {{ find {" ".join(WATCHED)} -xdev -type f ! -name {NOT_WATCHED} "$@" 2>/dev/null; }}
watched ! -size +{LARGE >> 10}k -exec sha256sum {{}} +
watched -size +{LARGE >> 10}k -exec stat -c '%i %s %.9Z  %n' {{}} +
find {MODULES}/ -xdev -type f ! -name 'modules.*' 2>/dev/null
true
"""


async def boot_files(guest: LinuxGuest) -> BootFiles:
    """Return what the guest boots from, read inside it."""
    listed = (await guest.ask("sh", "-c", READ, as_root=True)).stdout.decode(errors="replace")
    files: dict[str, str] = {}
    modules: list[PurePosixPath] = []
    for line in listed.splitlines():
        digest, _, path = line.partition("  ")
        if path:
            files[path] = digest
        else:
            modules.append(PurePosixPath(line))
    return files | _folders_of(modules)


class BootFilesOnDisk:
    """What a guest boots from, read from its mounted disk; what has not changed is not read again."""

    def __init__(self, tree: ForeignTree) -> None:
        self._tree = tree
        self._digests: dict[Stamp, str] = {}

    def read(self) -> BootFiles:
        """Return what ``boot_files`` does; blocks for as long as it takes to read what is new."""
        files: dict[str, str] = {}
        for watched in WATCHED:
            for path, stamp in self._tree.files(watched):
                if PurePosixPath(path).name != NOT_WATCHED:
                    with contextlib.suppress(OSError):  # gone meanwhile
                        files[path] = self._digest(path, stamp)
        return files | _folders_of(self._modules())

    def _digest(self, path: str, stamp: Stamp) -> str:
        if stamp.size > LARGE:
            seconds, nanoseconds = divmod(stamp.changed, 10**9)
            return f"{stamp.inode} {stamp.size} {seconds}.{nanoseconds:09d}"
        if stamp not in self._digests:
            with self._tree.opened(path) as file:
                self._digests[stamp] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._digests[stamp]

    def _modules(self) -> Iterable[PurePosixPath]:
        paths = map(PurePosixPath, self._tree.names(str(MODULES)))
        return (path for path in paths if not path.name.startswith("modules."))


def _folders_of(modules: Iterable[PurePosixPath]) -> dict[str, str]:
    """Return the folder of each kernel's modules -> digest of their names."""
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for path in modules:
        parts = path.relative_to(MODULES).parts
        if len(parts) > 1:
            folders[str(MODULES / parts[0])].append(str(path))
    return {
        folder: hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
        for folder, names in folders.items()
    }


def changes(before: BootFiles, after: BootFiles) -> tuple[str, ...]:
    """Return the paths that differ, are new or are gone, sorted."""
    return tuple(sorted(path for path in {*before, *after} if before.get(path) != after.get(path)))
