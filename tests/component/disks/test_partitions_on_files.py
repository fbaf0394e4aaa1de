"""Partition tables, growing and inspecting, on real disk images made here without root."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import pytest

from vmwright.artifacts.facts import Provisioning
from vmwright.disks.conversion import convert
from vmwright.disks.grow import grow_partition
from vmwright.disks.inspect import inspect
from vmwright.disks.partitions import TableLabel, probe, read_table
from vmwright.disks.qemu_img import DiskFormat
from vmwright.disks.vhd import MIB
from vmwright.errors import SourceError, UnsupportedError
from vmwright.process import run
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GPT = "label: gpt\nstart=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\n"
GPT += "start=4096, size=32768, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\nstart=36864, type=linux\n"
MBR = "label: dos\nstart=2048, type=83, bootable\n"
MBR_SWAP_BEHIND = "label: dos\nstart=2048, size=65536, type=83\nstart=67584, size=16384, type=82\n"
MBR_LOGICAL = "label: dos\nstart=2048, type=5\nstart=4096, type=83\n"
RELEASE = 'PRETTY_NAME="Toy Linux 1"\nID=toy\n# a comment\nVERSION=\n'
LVM_SAYS = (32).to_bytes(4, "little") + b"LVM2 001" + bytes(480)
LVM_CHECKSUM = (zlib.crc32(LVM_SAYS, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF).to_bytes(4, "little")
LVM = b"LABELONE" + (1).to_bytes(8, "little") + LVM_CHECKSUM + LVM_SAYS
ELF_X86_64 = b"\x7fELF" + bytes(14) + (0x3E).to_bytes(2, "little") + bytes(44)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield Ledger(database)
    database.close()


async def disk(folder: Path, table: str, *, mib: int = 64) -> Path:
    path = folder / "disk.raw"
    path.touch()
    os.truncate(path, mib * MIB)
    await run(["sfdisk", "--quiet", path], stdin=table.encode(), timeout=60)
    return path


def linux_tree(folder: Path) -> Path:
    tree = folder / "tree"
    for name, content in {
        "usr/lib/os-release": RELEASE.encode(),
        "usr/lib/systemd/systemd": ELF_X86_64,
        "usr/sbin/waagent": b"#!/usr/bin/python3\n",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    (tree / "etc").mkdir()
    (tree / "etc/os-release").symlink_to("../usr/lib/os-release")
    return tree


async def fill(path: Path, number: int, *argv: str | Path) -> None:
    """Make an ext4 in a partition."""
    part = next(part for part in (await read_table(path)).partitions if part.number == number)
    offset = f"offset={part.start}"
    await run(["mke2fs", "-q", "-t", "ext4", *argv, "-E", offset, path, f"{part.size >> 10}k"], timeout=60)


async def bootable(folder: Path) -> Path:
    """A toy Linux on GPT, with boot code and a boot loader for UEFI."""
    path = await disk(folder, GPT)
    await fill(path, 3, "-d", linux_tree(folder))
    esp = (await read_table(path)).esp
    assert esp is not None
    await run(
        ["mkfs.vfat", "--offset", str(esp.start // 512), "-F", "16", path, str(esp.size >> 10)], timeout=60
    )
    loader = folder / "loader"
    loader.write_bytes(b"MZ")
    await run(["mmd", "-i", f"{path}@@{esp.start}", "::EFI", "::EFI/BOOT"], timeout=60)
    await run(["mcopy", "-i", f"{path}@@{esp.start}", loader, "::EFI/BOOT/bootx64.efi"], timeout=60)
    with path.open("r+b") as file:
        file.write(b"\xeb\x63\x90")
    return path


@pytest.mark.parametrize("to", [None, DiskFormat.QCOW2, DiskFormat.VHD, DiskFormat.VHDX])
async def test_inspect_reads_the_disk_itself(tmp_path: Path, ledger: Ledger, to: DiskFormat | None) -> None:
    path = await bootable(tmp_path)
    if to:
        path, source = tmp_path / "made, with a comma", path
        await convert(source, path, to=to)
    work = tmp_path / "work"
    work.mkdir()
    facts = await inspect(path, work=work, ledger=ledger)
    assert (facts.os_type, facts.os_name, facts.os_id) == (OsType.LINUX, "Toy Linux 1", "toy")
    assert facts.boots == {Generation.V1, Generation.V2}
    assert facts.generation is Generation.V1
    assert (facts.architecture, facts.has_systemd, facts.has_waagent) == ("x86_64", True, True)
    assert not facts.has_cloud_init
    assert facts.image.provisioning is Provisioning.AZURE
    assert (facts.root.number, facts.root_system.type, facts.virtual_size) == (3, "ext4", 64 * MIB)


async def test_the_last_list_of_data_sources_tells_what_provisions(tmp_path: Path, ledger: Ledger) -> None:
    path = await bootable(tmp_path)
    (tmp_path / "first").write_text("datasource_list: [ Azure ]\n")
    (tmp_path / "second").write_text("datasource_list: [ NoCloud ]\n")
    root = (await read_table(path)).partitions[2]
    requests = (
        "mkdir /usr/bin",
        f"write {tmp_path / 'loader'} /usr/bin/cloud-init",
        "mkdir /etc/cloud",
        "mkdir /etc/cloud/cloud.cfg.d",
        f"write {tmp_path / 'second'} /etc/cloud/cloud.cfg.d/90.cfg",
        f"write {tmp_path / 'first'} /etc/cloud/cloud.cfg.d/10.cfg",
        f"write {tmp_path / 'first'} /etc/cloud/cloud.cfg.d/99.cfg.disabled",
    )
    for request in requests:
        await run(["debugfs", "-w", "-R", request, f"{path}?offset={root.start}"], timeout=20)
    work = tmp_path / "work"
    work.mkdir()
    facts = await inspect(path, work=work, ledger=ledger)
    assert (facts.has_cloud_init, facts.image.provisioning) == (True, Provisioning.NOCLOUD)


async def test_without_boot_code_only_uefi_boots(tmp_path: Path, ledger: Ledger) -> None:
    path = await bootable(tmp_path)
    with path.open("r+b") as file:
        file.write(bytes(440))
    facts = await inspect(path, work=tmp_path, ledger=ledger)
    assert facts.boots == {Generation.V2}
    assert facts.generation is Generation.V2


async def test_a_linux_that_nothing_boots_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    path = await disk(tmp_path, MBR)
    await fill(path, 1, "-d", linux_tree(tmp_path))
    with pytest.raises(SourceError, match="Toy Linux 1, but no boot loader"):
        await inspect(path, work=tmp_path, ledger=ledger)


async def test_a_disk_without_partitions_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(4 * MIB))
    with pytest.raises(SourceError, match="no partition table"):
        await inspect(path, work=tmp_path, ledger=ledger)


@pytest.mark.parametrize(
    ("offset", "signature", "reason"),
    [
        (0, b"LUKS\xba\xbe\x00\x01", "encrypted"),
        (512, LVM, "LVM"),
        (0, b"", "nothing known"),
    ],
)
async def test_roots_that_cannot_be_read_are_named(
    tmp_path: Path, ledger: Ledger, offset: int, signature: bytes, reason: str
) -> None:
    path = await disk(tmp_path, MBR)
    with path.open("r+b") as file:
        file.seek(2048 * 512 + offset)
        file.write(signature)
    with pytest.raises(SourceError, match=reason):
        await inspect(path, work=tmp_path, ledger=ledger)


async def test_an_ntfs_is_windows(tmp_path: Path, ledger: Ledger) -> None:
    path = await disk(tmp_path, MBR)
    boot_record = bytearray(512)
    boot_record[0:11] = b"\xeb\x52\x90NTFS    "
    boot_record[11:13] = (512).to_bytes(2, "little")
    boot_record[13] = 8
    boot_record[40:48] = (100000).to_bytes(8, "little")
    boot_record[48:56] = boot_record[56:64] = (4).to_bytes(8, "little")
    boot_record[64] = boot_record[68] = 0xF6
    boot_record[510:512] = b"\x55\xaa"
    with path.open("r+b") as file:
        file.write(b"\x33\xc0")
        file.seek(2048 * 512)
        file.write(boot_record)
        for record in (4, 4 + 3):  # the master file table, and the volume's record in it
            file.seek(2048 * 512 + 4 * 4096 + (record - 4) * 1024)
            file.write(b"FILE" + bytes(16) + (0x38).to_bytes(2, "little") + bytes(8) + bytes(2))
    facts = await inspect(path, work=tmp_path, ledger=ledger)
    assert (facts.os_type, facts.generation) == (OsType.WINDOWS, Generation.V1)


@pytest.mark.parametrize(("table", "number", "label"), [(GPT, 3, TableLabel.GPT), (MBR, 1, TableLabel.MBR)])
async def test_a_larger_disk_gives_its_space_to_the_root(
    tmp_path: Path, table: str, number: int, label: TableLabel
) -> None:
    path = await disk(tmp_path, table)
    await fill(path, number, "-d", linux_tree(tmp_path))
    before = (await read_table(path)).partitions[-1]
    os.truncate(path, 256 * MIB)
    root, system = await grow_partition(path)
    assert system.type == "ext4"
    assert (root.number, root.start) == (number, before.start)
    assert 255 * MIB <= root.end <= 256 * MIB
    after = await read_table(path)
    assert after.label is label
    assert after.partitions[-1] == root
    assert await grow_partition(path) == (root, system)
    assert path.stat().st_size == 256 * MIB
    # what the guest's kernel would say of a backup GPT that is not at the end of the disk
    verified = await run(["sfdisk", "--verify", path], timeout=60)
    assert b"backup" not in verified.stderr


@pytest.mark.parametrize(
    ("table", "root", "reason"),
    [(MBR_SWAP_BEHIND, 0, "has partition 2 behind it"), (MBR_LOGICAL, 1, "is a logical partition")],
)
async def test_a_root_that_cannot_take_the_space_is_refused(
    tmp_path: Path, table: str, root: int, reason: str
) -> None:
    path = await disk(tmp_path, table)
    partition = (await read_table(path)).partitions[root]
    await fill(path, partition.number)
    os.truncate(path, 256 * MIB)
    with pytest.raises(UnsupportedError, match=reason):
        await grow_partition(path, partition)
    assert (await read_table(path)).partitions[root] == partition


async def test_lvm_is_not_grown(tmp_path: Path) -> None:
    path = await disk(tmp_path, MBR)
    with path.open("r+b") as file:
        file.seek(2048 * 512 + 512)
        file.write(LVM)
    os.truncate(path, 256 * MIB)
    with pytest.raises(UnsupportedError, match="LVM2_member"):
        await grow_partition(path)


async def test_probe_keeps_to_its_partition(tmp_path: Path) -> None:
    path = await disk(tmp_path, MBR_SWAP_BEHIND)
    await fill(path, 1)
    first, second = (await read_table(path)).partitions
    found = await probe(path, first)
    assert found is not None
    assert found.type == "ext4"
    assert await probe(path, second) is None
