"""The bytes by which a BIOS finds GRUB, and the ids that tie the boot files together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vmwright.disks.boot import DiskIds, boot_files, boot_sector, placed_core

IDS = DiskIds(root="9212604b-69b7-4672-9d5d-7b3ffe43f26f", esp_serial=0x0A1B2C3D)


def test_the_boot_sector_leaves_the_partition_table_alone() -> None:
    code = boot_sector(bytes(range(256)) * 2, core_sector=2048)
    assert len(code) == 440
    assert code[0x5C:0x64] == (2048).to_bytes(8, "little")
    assert code[0x66:0x68] == b"\x90\x90"
    assert code[:0x5C] == bytes(range(0x5C))


@given(size=st.integers(min_value=513, max_value=100_000), sector=st.integers(1, 2**31))
def test_the_core_is_told_where_all_of_it_lies(size: int, sector: int) -> None:
    core = placed_core(bytes(size), core_sector=sector)
    assert len(core) == size
    first, count = int.from_bytes(core[500:508], "little"), int.from_bytes(core[508:510], "little")
    assert first == sector + 1
    assert (count - 1) * 512 < size - 512 <= count * 512


def test_fstab_names_what_blkid_will_say() -> None:
    fstab = next(text for name, text in boot_files(IDS).items() if name.name == "fstab")
    assert "UUID=9212604b-69b7-4672-9d5d-7b3ffe43f26f / ext4" in fstab
    assert "UUID=0A1B-2C3D /boot/efi vfat" in fstab
