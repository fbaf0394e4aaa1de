"""qemu-img behind its door: formats read from the bytes, overlays, conversions; hostile files refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from vmwright.disks.conversion import convert
from vmwright.disks.qemu_img import DiskFormat, compare, create_overlay, foreign_info, info
from vmwright.disks.vhd import MIB, verify_fixed_vhd
from vmwright.errors import ProcessError, SourceError
from vmwright.process import run

if TYPE_CHECKING:
    from pathlib import Path


async def qemu_img(*argv: str | Path) -> None:
    await run(["qemu-img", *argv], timeout=60)


def raw(folder: Path, *, size: int = 3 * MIB + 512) -> Path:
    """A disk whose size is no whole number of MiB, with data at its start and at its end."""
    path = folder / "disk.vhd"  # the name lies: it is raw
    path.write_bytes(os.urandom(4096))
    os.truncate(path, size)
    with path.open("r+b") as file:
        file.seek(size - 512)
        file.write(os.urandom(512))
    return path


@pytest.mark.parametrize("to", [DiskFormat.QCOW2, DiskFormat.RAW, DiskFormat.VHD])
async def test_conversion_keeps_the_contents(tmp_path: Path, to: DiskFormat) -> None:
    source, made = raw(tmp_path), tmp_path / "made"
    seen: list[tuple[int, int]] = []
    await convert(source, made, to=to, on_progress=lambda done, total: seen.append((done, total)))
    assert await compare(source, made)
    assert (await info(made)).format is to
    assert seen[-1][0] == seen[-1][1] > MIB
    assert sorted(tmp_path.iterdir()) == sorted([source, made])


async def test_a_vhd_is_what_azure_takes(tmp_path: Path) -> None:
    made = tmp_path / "made.vhd"
    await convert(raw(tmp_path), made, to=DiskFormat.VHD)
    assert verify_fixed_vhd(made).size == 4 * MIB == (await info(made)).virtual_size
    other = tmp_path / "other.vhd"
    await convert(made, other, to=DiskFormat.VHD)
    assert verify_fixed_vhd(other).unique_id != verify_fixed_vhd(made).unique_id


async def test_a_large_empty_vhd_takes_no_space(tmp_path: Path) -> None:
    made = tmp_path / "made.vhd"
    await convert(raw(tmp_path, size=8 << 30), made, to=DiskFormat.VHD)
    assert (await info(made)).actual_size < 8 * MIB


async def test_compare_sees_one_byte(tmp_path: Path) -> None:
    source, made = raw(tmp_path), tmp_path / "made"
    await convert(source, made, to=DiskFormat.RAW)
    with made.open("r+b") as file:
        file.seek(MIB)
        file.write(b"x")
    assert not await compare(source, made)


async def test_an_overlay_names_its_backing_absolutely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, overlay = raw(tmp_path), tmp_path / "over, lay.qcow2"
    monkeypatch.chdir(tmp_path)
    await create_overlay(
        overlay, backing=source.relative_to(tmp_path), backing_format=DiskFormat.RAW, size=1 << 30
    )
    known = await info(overlay)
    assert (known.backing, known.virtual_size) == (source, 1 << 30)
    await qemu_img("check", "-q", overlay)


async def test_a_source_with_a_backing_file_is_refused(tmp_path: Path) -> None:
    secret, hostile = tmp_path / "secret", tmp_path / "hostile.raw"
    secret.write_bytes(bytes(MIB))
    await qemu_img("create", "-f", "qcow2", "-b", secret, "-F", "raw", hostile)
    with pytest.raises(SourceError, match="a backing file"):
        await foreign_info(hostile)


async def test_a_source_with_an_external_data_file_is_refused(tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.qcow2"
    await qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path / 'secret'}", hostile, "1M")
    with pytest.raises(SourceError, match="an external data file"):
        await foreign_info(hostile)


async def test_the_header_of_a_qcow2_inside_a_raw_disk_is_data(tmp_path: Path) -> None:
    """A guest that writes a qcow2 header to its raw disk gets a qcow2, which is then refused as foreign."""
    secret, disk = tmp_path / "secret", raw(tmp_path)
    secret.write_bytes(bytes(MIB))
    await qemu_img("create", "-f", "qcow2", "-b", secret, "-F", "raw", tmp_path / "header")
    with disk.open("r+b") as file:
        file.write((tmp_path / "header").read_bytes())
    with pytest.raises(SourceError, match="a backing file"):
        await foreign_info(disk)


async def test_formats_that_are_not_read_are_named_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    await qemu_img("create", "-f", "qed", path, "4M")
    with pytest.raises(SourceError, match="QED") as caught:
        await foreign_info(path)
    assert "qemu-img convert" in (caught.value.hint or "")


@pytest.mark.parametrize("subformat", ["monolithicSparse", "streamOptimized"])
async def test_a_whole_vmdk_is_read(tmp_path: Path, subformat: str) -> None:
    source, vmdk, back = raw(tmp_path), tmp_path / "disk.vmdk", tmp_path / "back"
    await qemu_img("convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={subformat}", source, vmdk)
    assert (await foreign_info(vmdk)).format is DiskFormat.VMDK
    await convert(vmdk, back, to=DiskFormat.RAW)
    assert await compare(source, back)


async def test_a_vmdk_that_refers_to_other_files_is_refused(tmp_path: Path) -> None:
    await qemu_img("create", "-f", "vmdk", "-o", "subformat=monolithicFlat", tmp_path / "flat.vmdk", "4M")
    with pytest.raises(SourceError, match="VMDK"):
        await foreign_info(tmp_path / "flat.vmdk")
    child, base = tmp_path / "child.vmdk", tmp_path / "base.vmdk"
    await qemu_img("create", "-f", "vmdk", base, "4M")
    await qemu_img("create", "-f", "vmdk", "-F", "vmdk", "-b", base, child)
    with pytest.raises(SourceError, match="a parent disk"):
        await foreign_info(child)
    with base.open("r+b") as file:
        file.seek(12)
        file.write(bytes(8))  # a capacity of none: the description says where the disk is
    with pytest.raises(SourceError, match="other files that hold its contents"):
        await foreign_info(base)


async def test_a_broken_conversion_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source.qcow2"
    await qemu_img("create", "-f", "qcow2", source, "64M")
    with source.open("r+b") as file:
        file.seek(40)
        file.seek(int.from_bytes(file.read(8)))  # its first table of clusters
        file.write((1 << 63 | 0x200).to_bytes(8))  # leads to where no cluster can be
    with pytest.raises(ProcessError, match="qemu-img failed"):
        await convert(source, tmp_path / "made", to=DiskFormat.RAW)
    assert list(tmp_path.iterdir()) == [source]


async def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file"):
        await foreign_info(tmp_path / "nothing")
