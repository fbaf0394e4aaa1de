"""Disks that are read without QEMU: the bytes that QEMU reads, and their sums; others are left to it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from vmwright.artifacts.sums import sums_of
from vmwright.disks.conversion import convert
from vmwright.disks.plain_parts import plain_parts
from vmwright.disks.qemu_img import DiskFormat, compare, create_overlay
from vmwright.disks.vhd import MIB, verify_fixed_vhd
from vmwright.process import run

if TYPE_CHECKING:
    from pathlib import Path


async def qemu_io(disk: Path, *commands: str) -> None:
    told = [word for command in commands for word in ("-c", command)]
    await run(["qemu-io", "-f", "qcow2", "-d", "unmap", *told, disk], timeout=60)


async def chain(folder: Path) -> Path:
    """A disk of three layers on a raw one that is shorter, with data of each, zeros over data, and holes."""
    base = folder / "base"
    base.write_bytes(os.urandom(3 * MIB + 512))
    os.truncate(base, 6 * MIB)
    below, backing_format = base, DiskFormat.RAW
    for number, commands in enumerate(
        (
            ("write -P 1 100k 200k", "write -P 2 4M 64k", "write -P 3 8M 1k"),
            ("write -P 4 150k 3", "write -z 1M 512k", "discard 4M 64k"),
            ("write -P 5 1100k 1k", "write -z -u 2M 64k", "write -P 6 9M 512"),
        )
    ):
        top = folder / f"top,{number}.qcow2"
        await create_overlay(top, backing=below, backing_format=backing_format, size=9 * MIB + 512)
        await qemu_io(top, *commands)
        below, backing_format = top, DiskFormat.QCOW2
    return below


@pytest.mark.parametrize("to", [DiskFormat.RAW, DiskFormat.VHD])
async def test_a_chain_is_compared_while_it_is_written(tmp_path: Path, to: DiskFormat) -> None:
    disk, made = await chain(tmp_path), tmp_path / "made"
    found = await convert(disk, made, to=to)
    assert await compare(disk, made)
    assert found == await sums_of(made)
    if to is DiskFormat.VHD:
        assert verify_fixed_vhd(made).size == 10 * MIB


async def test_a_compressed_disk_is_left_to_qemu(tmp_path: Path) -> None:
    plain, disk, made = await chain(tmp_path), tmp_path / "disk.qcow2", tmp_path / "made"
    await convert(plain, disk, to=DiskFormat.QCOW2, compressed=True)
    assert await plain_parts(disk, DiskFormat.QCOW2) is None
    assert await convert(disk, made, to=DiskFormat.RAW) is None
    assert await compare(plain, made)


async def test_a_disk_that_ends_before_its_data_is_left_to_qemu(tmp_path: Path) -> None:
    disk = await chain(tmp_path)
    os.truncate(disk, disk.stat().st_size - MIB // 16)
    assert await plain_parts(disk, DiskFormat.QCOW2) is None
    await convert(disk, tmp_path / "made", to=DiskFormat.RAW)
    assert await compare(disk, tmp_path / "made")


async def test_a_disk_of_another_format_is_left_to_qemu(tmp_path: Path) -> None:
    base, top = tmp_path / "base.vhdx", tmp_path / "top.qcow2"
    await run(["qemu-img", "create", "-f", "vhdx", base, "8M"], timeout=60)
    await create_overlay(top, backing=base, backing_format=DiskFormat.VHDX)
    assert await plain_parts(top, DiskFormat.QCOW2) is None
