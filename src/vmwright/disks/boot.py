"""What makes a Debian tree boot by BIOS and by UEFI: the files that grub-install and update-grub would write.

grub-install needs block devices with partition nodes, so the layout is made by hand here, but it is the same:
a later grub-install or update-grub in the real guest finds what it expects and replaces it in place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512

# Both consoles: Azure's serial console is ttyS0; the last one named gets the boot's messages.
KERNEL_OPTIONS = "console=tty0 console=ttyS0,115200 consoleblank=0"
CORE_MODULES = ("biosdisk", "part_gpt", "ext2", "search_fs_uuid")
GRUB_FOLDER = Path("boot/grub")
BIOS_FOLDER = GRUB_FOLDER / "i386-pc"
EFI_FOLDER = GRUB_FOLDER / "x86_64-efi"

# boot.img: its code ends where the partition table's disk id begins
BOOT_CODE_BYTES = 440
CORE_SECTOR_AT = 0x5C  # where it keeps the first sector of core.img
DRIVE_CHECK_AT = 0x66  # a jump that trusts the BIOS's drive number; some pass a wrong one
TWO_NOPS = b"\x90\x90"
# core.img: the end of its first sector lists where the rest of it lies
BLOCK_LIST = struct.Struct("<QHH")  # first sector, number of sectors, segment to load them at
BLOCK_LIST_AT = SECTOR - BLOCK_LIST.size
CORE_SEGMENT = 0x820

GRUB_CFG = """\
# Written with the disk. At the next kernel, update-grub in the guest replaces it by its own. Until then it
# follows the links that every kernel package keeps, so also a kernel installed where update-grub does
# nothing (in a container) is the one that boots.
set default=0
set timeout=0
insmod part_gpt
insmod ext2
insmod gzio
serial --speed=115200
terminal_input console serial
terminal_output console serial
search --no-floppy --fs-uuid --set=root {root}
menuentry 'Debian GNU/Linux' --class debian --class gnu-linux --class os {{
	linux /vmlinuz root=UUID={root} ro {options}
	initrd /initrd.img
}}
"""

LOAD_CFG = """\
search.fs_uuid {root} root
set prefix=($root)'/boot/grub'
"""

ESP_CFG = LOAD_CFG + "configfile $prefix/grub.cfg\n"

GRUB_DEFAULTS = """\
# What every cloud image has: a serial console, and nobody at the keyboard.
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="{options}"
GRUB_TIMEOUT=0
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --speed=115200"
"""

# The ESP may be missing (a container has no such device): its mount never holds up a boot.
FSTAB = """\
UUID={root} / ext4 rw,discard,errors=remount-ro 0 1
UUID={esp} /boot/efi vfat umask=0077,nofail 0 0
"""


@dataclass(frozen=True, slots=True)
class DiskIds:
    """What names the file systems of a disk: the root's UUID, the ESP's 32-bit serial number."""

    root: str
    esp_serial: int

    @property
    def esp(self) -> str:
        """The serial number as blkid and fstab write it."""
        return f"{self.esp_serial >> 16:04X}-{self.esp_serial & 0xFFFF:04X}"


def boot_files(ids: DiskIds) -> dict[Path, str]:
    """Return the files that a tree gets before it becomes a root file system, by their path in the tree."""
    return {
        Path("etc/fstab"): FSTAB.format(root=ids.root, esp=ids.esp),
        Path("etc/default/grub.d/20_cloud.cfg"): GRUB_DEFAULTS.format(options=KERNEL_OPTIONS),
        # without it the trigger of grub-cloud-amd64 does not renew the boot loader when GRUB is upgraded
        Path("etc/grub.d/enable_cloud"): "",
        GRUB_FOLDER / "grub.cfg": GRUB_CFG.format(root=ids.root, options=KERNEL_OPTIONS),
        BIOS_FOLDER / "load.cfg": LOAD_CFG.format(root=ids.root),
    }


def boot_sector(boot_image: bytes, *, core_sector: int) -> bytes:
    """Return the code for the first sector of the disk, which loads ``core_sector`` (512 bytes each)."""
    code = bytearray(boot_image[:BOOT_CODE_BYTES])
    struct.pack_into("<Q", code, CORE_SECTOR_AT, core_sector)
    code[DRIVE_CHECK_AT : DRIVE_CHECK_AT + len(TWO_NOPS)] = TWO_NOPS
    return bytes(code)


def placed_core(core_image: bytes, *, core_sector: int) -> bytes:
    """Return GRUB's core, told that it lies in one piece from ``core_sector`` on."""
    core = bytearray(core_image)
    rest = -(-(len(core) - SECTOR) // SECTOR)
    BLOCK_LIST.pack_into(core, BLOCK_LIST_AT, core_sector + 1, rest, CORE_SEGMENT)
    return bytes(core)
