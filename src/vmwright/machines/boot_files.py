"""What a guest boots from, as far as a container can spoil it: compared before and after the steps.

A container has no boot loader, no ESP and no block devices: what ``update-grub``, a kernel's or a boot
loader's package writes in it may not boot. A build in which these files have changed is finished in a VM.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.guests.linux import LinuxGuest

BootFiles = Mapping[str, str]
"""Path -> digest of its contents; for a kernel's modules, their folder -> digest of their names."""

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

# grubenv is GRUB's own memory, which also the guest's boot writes; what is behind another mount is not the
# disk's. Paths that are not there are find's errors, and no news.
READ = f"""
find {" ".join(WATCHED)} -xdev -type f ! -name grubenv -exec sha256sum {{}} + 2>/dev/null
find {MODULES}/ -xdev -type f ! -name 'modules.*' 2>/dev/null
true
"""


async def boot_files(guest: LinuxGuest) -> BootFiles:
    """Return what the guest boots from, read inside it."""
    listed = (await guest.ask("sh", "-c", READ, as_root=True)).stdout.decode(errors="replace")
    files: dict[str, str] = {}
    modules: defaultdict[str, list[str]] = defaultdict(list)
    for line in listed.splitlines():
        digest, _, path = line.partition("  ")
        if path:
            files[path] = digest
        elif len(parts := PurePosixPath(line).relative_to(MODULES).parts) > 1:
            modules[str(MODULES / parts[0])].append(line)
    for folder, names in modules.items():
        files[folder] = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
    return files


def changes(before: BootFiles, after: BootFiles) -> tuple[str, ...]:
    """Return the paths that differ, are new or are gone, sorted."""
    return tuple(sorted(path for path in {*before, *after} if before.get(path) != after.get(path)))
