"""A raw disk that is written again while the disk that it is made of grows: only what differs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from vmwright.artifacts.sums import sums_of
from vmwright.disks.conversion import convert
from vmwright.disks.flat_disk import FlatDisk
from vmwright.disks.qemu_img import DiskFormat, compare, create_overlay
from vmwright.disks.vhd import MIB, verify_fixed_vhd
from vmwright.process import run

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 9 * MIB


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A raw disk with 4 MiB of data, whose end is a hole."""
    path = tmp_path / "base"
    path.write_bytes(os.urandom(4 * MIB))
    os.truncate(path, SIZE)
    return path


async def overlay(base: Path, *commands: str, name: str = "top.qcow2") -> Path:
    top = base.with_name(name)
    await create_overlay(top, backing=base, backing_format=DiskFormat.RAW)
    told = [word for command in commands for word in ("-c", command)]
    await run(["qemu-io", "-f", "qcow2", "-d", "unmap", *told, top], timeout=60)
    return top


class Told:
    """What was to be written, each time."""

    def __init__(self) -> None:
        self.totals: list[int] = []

    def __call__(self, done: int, total: int) -> None:
        if done == total:
            self.totals.append(total)


async def test_only_what_differs_is_written_again(tmp_path: Path, base: Path) -> None:
    flat, told = FlatDisk(tmp_path / "flat"), Told()
    assert await flat.write(base, DiskFormat.RAW, SIZE, on_progress=told) == await sums_of(base)
    top = await overlay(base, "write -P 1 100k 3", "write -z -u 1M 1M", "write -P 2 8M 64k")
    found = await flat.write(top, DiskFormat.QCOW2, SIZE, on_progress=told)
    assert told.totals == [4 * MIB, 3 * MIB]
    assert await compare(top, flat.path)
    assert found == await sums_of(flat.path)
    assert flat.path.stat().st_blocks * 512 == 4 * MIB  # one piece has become a hole, another one is new


async def test_it_becomes_the_file_that_is_wanted(tmp_path: Path, base: Path) -> None:
    flat, made, told = FlatDisk(tmp_path / "flat"), tmp_path / "made.vhd", Told()
    await flat.write(base, DiskFormat.RAW, SIZE)
    top = await overlay(base, "write -P 1 100k 3")
    found = await convert(top, made, to=DiskFormat.VHD, begun=flat, on_progress=told)
    assert told.totals == [MIB]
    assert (verify_fixed_vhd(made).size, flat.path.exists()) == (SIZE, False)
    assert found == await sums_of(made)
    assert await compare(top, made)


async def test_a_disk_of_another_size_is_written_from_the_start(tmp_path: Path, base: Path) -> None:
    flat = FlatDisk(tmp_path / "flat")
    await flat.write(base, DiskFormat.RAW, SIZE + 512)
    assert await flat.write(base, DiskFormat.RAW, SIZE) == await sums_of(base)
    assert flat.path.stat().st_size == SIZE


async def test_what_only_qemu_can_read_is_left_to_it(tmp_path: Path, base: Path) -> None:
    flat, made = FlatDisk(tmp_path / "flat"), tmp_path / "made"
    await flat.write(base, DiskFormat.RAW, SIZE)
    top = await overlay(base, "write -z -u 1M 1M", "write -P 2 8M 64k")
    compressed = tmp_path / "compressed.qcow2"
    await convert(top, compressed, to=DiskFormat.QCOW2, compressed=True)
    assert await convert(compressed, made, to=DiskFormat.RAW, begun=flat) is None
    assert await compare(top, made)


async def test_what_failed_is_no_ground_to_go_on_from(tmp_path: Path, base: Path) -> None:
    flat = FlatDisk(tmp_path / "flat")
    await flat.write(base, DiskFormat.RAW, SIZE)
    top = await overlay(base, "write -P 1 1M 3")
    flat.path.rename(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        await flat.write(top, DiskFormat.QCOW2, SIZE)
    assert await flat.write(top, DiskFormat.QCOW2, SIZE) == await sums_of(flat.path)
    assert await compare(top, flat.path)
