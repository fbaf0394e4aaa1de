"""A root tree becomes a GPT disk that boots by BIOS and UEFI, in seconds.

Nothing is mounted and no loop device or partition node is used (a host may have none: machines §1), so it
works for a plain user too: whoever owns the tree's files (in a user namespace) runs the programs.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.disks.boot import (
    BIOS_FOLDER,
    CORE_MODULES,
    EFI_FOLDER,
    ESP_CFG,
    GRUB_FOLDER,
    SECTOR,
    DiskIds,
    boot_files,
    boot_sector,
    placed_core,
)
from vmwright.disks.partitions import BIOS_BOOT, ESP, LINUX_ROOT_X86_64, read_table
from vmwright.disks.vhd import MIB
from vmwright.errors import SourceError
from vmwright.process import run

if TYPE_CHECKING:
    import os
    from pathlib import Path

QUICK = 60.0
LONG = 1800.0
KIB = 1 << 10

CORE_SECTOR = MIB // SECTOR
ESP_SECTOR = 2 * MIB // SECTOR
ROOT_SECTOR = 64 * MIB // SECTOR
TABLE = f"""\
label: gpt
first-lba: {CORE_SECTOR}
start={CORE_SECTOR}, size={ESP_SECTOR - CORE_SECTOR}, type={BIOS_BOOT}, name=bios
start={ESP_SECTOR}, size={ROOT_SECTOR - ESP_SECTOR}, type={ESP}, name=esp
start={ROOT_SECTOR}, type={LINUX_ROOT_X86_64}, name=root
"""
GRUB_BIOS = "usr/lib/grub/i386-pc"
GRUB_EFI = "usr/lib/grub/x86_64-efi"
EFI_FILES = {
    "usr/lib/shim/shimx64.efi.signed": ("BOOT/BOOTX64.EFI", "debian/shimx64.efi"),
    "usr/lib/shim/mmx64.efi.signed": ("BOOT/mmx64.efi", "debian/mmx64.efi"),
    "usr/lib/shim/fbx64.efi.signed": ("debian/fbx64.efi",),
    "usr/lib/shim/BOOTX64.CSV": ("debian/BOOTX64.CSV",),
    "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed": ("BOOT/grubx64.efi", "debian/grubx64.efi"),
}
NEEDED = ("vmlinuz", "initrd.img", f"{GRUB_BIOS}/boot.img", f"{GRUB_EFI}/normal.mod", *EFI_FILES)


@dataclass(frozen=True, slots=True)
class RootTree:
    """A root file system as a folder; ``enter`` runs a program as the owner of its files (() for root)."""

    path: Path
    enter: tuple[str, ...] = ()

    async def run(
        self, *argv: str | os.PathLike[str], stdin: bytes | None = None, timeout: float = QUICK
    ) -> None:
        """Run a program of this host as the owner of the tree's files."""
        environment = {
            "MKE2FS_CONFIG": str(self.path / "etc/mke2fs.conf"),  # features that the guest's own tools know
            "MTOOLS_SKIP_CHECK": "1",
        }
        await run([*self.enter, *argv], timeout=timeout, stdin=stdin, env=environment)


async def assemble(tree: RootTree, disk: Path, *, size: int, work: Path) -> None:
    """Write the tree as a raw disk: 1 BIOS boot, 2 ESP (FAT), 3 root (ext4); ids are new each time.

    The tree gets its boot files: fstab, GRUB's configuration and modules.

    :param size: bytes of the disk; a whole number of MiB.
    :param work: an empty folder of the caller's for what is put on the disk; the tree's owner reads it.
    :raises SourceError: the tree has no kernel or no boot loader.
    """
    _require(tree)
    ids = DiskIds(root=str(uuid.uuid4()), esp_serial=secrets.randbits(32))
    await _add_boot_files(tree, ids, work)
    await tree.run("truncate", "--size", str(size), disk)
    await tree.run("sfdisk", "--quiet", disk, stdin=TABLE.encode())
    await _write_bios_loader(tree, disk, work)
    await _write_esp(tree, disk, ids, work)
    await _write_root(tree, disk, ids)


def _require(tree: RootTree) -> None:
    for name in NEEDED:
        if not (tree.path / name).exists():
            raise SourceError(
                f"The tree has no {name}: it cannot boot",
                target=str(tree.path),
                hint="it needs linux-image-cloud-amd64, grub-cloud-amd64, grub-efi-amd64-signed, shim-signed",
            )


async def _add_boot_files(tree: RootTree, ids: DiskIds, work: Path) -> None:
    staged = work / "boot-files"
    for name, text in boot_files(ids).items():
        path = staged / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (staged / "boot/efi").mkdir()
    await tree.run("cp", "--recursive", "--no-preserve=all", f"{staged}/.", tree.path)
    # grub-install copies the modules too: at boot they are read from there, not from /usr
    for modules, folder in ((GRUB_BIOS, BIOS_FOLDER), (GRUB_EFI, EFI_FOLDER)):
        source, target = tree.path / modules, tree.path / folder
        await tree.run("cp", "--recursive", "--no-preserve=all", "--no-target-directory", source, target)
    await tree.run(
        *("chroot", tree.path, "grub-mkimage", "--format=i386-pc", f"--directory=/{GRUB_BIOS}"),
        *(f"--config=/{BIOS_FOLDER}/load.cfg", f"--prefix=/{GRUB_FOLDER}"),
        *(f"--output=/{BIOS_FOLDER}/core.img", *CORE_MODULES),
    )


async def _write_bios_loader(tree: RootTree, disk: Path, work: Path) -> None:
    """Put boot.img before the partition table and core.img into its own partition."""
    boot, core = work / "boot.bin", work / "core.bin"
    boot.write_bytes(boot_sector((tree.path / GRUB_BIOS / "boot.img").read_bytes(), core_sector=CORE_SECTOR))
    core.write_bytes(
        placed_core((tree.path / BIOS_FOLDER / "core.img").read_bytes(), core_sector=CORE_SECTOR)
    )
    await tree.run("dd", f"if={boot}", f"of={disk}", "conv=notrunc", "status=none")
    await tree.run("dd", f"if={core}", f"of={disk}", f"seek={CORE_SECTOR}", "conv=notrunc", "status=none")


async def _write_esp(tree: RootTree, disk: Path, ids: DiskIds, work: Path) -> None:
    """Lay the ESP out as ``grub-install --uefi-secure-boot --force-extra-removable`` does."""
    sectors = ROOT_SECTOR - ESP_SECTOR
    # mkfs.vfat, not mformat: the latter's boot sector looks like a partition table to grub-probe
    await tree.run(
        *("mkfs.vfat", "--mbr=n", "-F", "32", "-s", "1", "-n", "ESP", "-i", f"{ids.esp_serial:08X}"),
        *("--offset", str(ESP_SECTOR), disk, str(sectors * SECTOR // KIB)),
    )
    place = f"{disk}@@{ESP_SECTOR * SECTOR}"
    config = work / "esp-grub.cfg"
    config.write_text(ESP_CFG.format(root=ids.root))
    await tree.run("mmd", "-i", place, "::EFI", "::EFI/BOOT", "::EFI/debian")
    for source, targets in EFI_FILES.items():
        for target in targets:
            await tree.run("mcopy", "-i", place, tree.path / source, f"::EFI/{target}")
    await tree.run("mcopy", "-i", place, config, "::EFI/debian/grub.cfg")


async def _write_root(tree: RootTree, disk: Path, ids: DiskIds) -> None:
    root = (await read_table(disk)).partitions[-1]
    await tree.run(
        *("mke2fs", "-q", "-t", "ext4", "-U", ids.root, "-L", "root", "-d", tree.path),
        *("-E", f"offset={root.start},lazy_itable_init=0", disk, f"{root.size // KIB}k"),
        timeout=LONG,
    )
