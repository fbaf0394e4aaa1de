"""Inspecting disks whose root must be mounted: xfs and btrfs, made here; nothing stays on this host."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.host_traces import traces
from vmwright.disks.attach import AttachedRoot
from vmwright.disks.conversion import convert
from vmwright.disks.filetree import MountedFiles
from vmwright.disks.inspect import inspect
from vmwright.disks.mounts import unmount
from vmwright.disks.partitions import FileSystem, Partition, read_table
from vmwright.disks.qemu_img import DiskFormat
from vmwright.disks.readonly import mounted_read_only
from vmwright.errors import SourceError, UnsupportedError
from vmwright.process import run
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.machine

MIB = 1 << 20
# mkfs.xfs makes nothing smaller than 300 MiB
LAYOUT = """label: gpt
size=1M, type=21686148-6449-6E6F-744E-656564454649
size=8M, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
size=64M, type=linux
size=320M, type=linux
"""
ESP, BOOT, ROOT = 1, 2, 3
SIZE = 400 * MIB
RELEASE = b'PRETTY_NAME="Toy Linux 9"\nID=toy\n'
HARMLESS = os.ST_RDONLY | os.ST_NODEV | os.ST_NOSUID | os.ST_NOEXEC
ELF_X86_64 = b"\x7fELF" + bytes(14) + (0x3E).to_bytes(2, "little") + bytes(44)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder behind a symbolic link, as a $VMWRIGHT_HOME may be."""
    (tmp_path / "disks").mkdir()
    work = tmp_path / "work"
    work.symlink_to("disks")
    return work


def toy_linux(root: Path) -> None:
    """Write a guest; os-release is reached by links, as in Fedora, one of them absolute."""
    for name, content in {
        "usr/lib/release.d/cloud": RELEASE,
        "usr/lib/systemd/systemd": ELF_X86_64,
        "usr/bin/cloud-init": b"#!/usr/bin/python3\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "etc").mkdir()
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "usr/lib/os-release").symlink_to("/lib/release.d/cloud")
    (root / "lib").symlink_to("usr/lib")


@contextlib.asynccontextmanager
async def mounted(path: Path, folder: Path) -> AsyncIterator[Path]:
    folder.mkdir()
    await run(["mount", "-o", "loop", path, folder], timeout=60)
    try:
        yield folder
    finally:
        await run(["umount", folder], timeout=60)


async def partitions(path: Path) -> tuple[Partition, ...]:
    return (await read_table(path)).partitions


async def disk_with(root: Path, folder: Path) -> Path:
    """Make a disk with boot code, a UEFI loader, an empty ext4 for /boot, and ``root`` behind them."""
    path = folder / "disk.raw"
    path.touch()
    os.truncate(path, SIZE)
    await run(["sfdisk", "--quiet", path], stdin=LAYOUT.encode(), timeout=60)
    parts = await partitions(path)
    await run(["mkfs.ext4", "-q", "-E", f"offset={parts[BOOT].start}", path, "64M"], timeout=60)
    esp = parts[ESP]
    await run(["mkfs.vfat", "--offset", str(esp.start // 512), path, str(esp.size >> 10)], timeout=60)
    loader = folder / "loader"
    loader.write_bytes(b"MZ")
    await run(["mmd", "-i", f"{path}@@{esp.start}", "::EFI", "::EFI/BOOT"], timeout=60)
    await run(["mcopy", "-i", f"{path}@@{esp.start}", loader, "::EFI/BOOT/bootx64.efi"], timeout=60)
    seek = f"seek={parts[ROOT].start // MIB}"
    await run(["dd", f"if={root}", f"of={path}", "bs=1M", seek, "conv=notrunc,sparse"], timeout=60)
    with path.open("r+b") as file:
        file.write(b"\xeb\x63\x90")
    root.unlink()
    return path


async def empty(system: str, folder: Path) -> Path:
    path = folder / f"{system}.part"
    path.touch()
    os.truncate(path, 320 * MIB)
    await run([f"mkfs.{system}", "-q", path], timeout=60)
    return path


async def xfs_disk(folder: Path) -> Path:
    part = await empty("xfs", folder)
    async with mounted(part, folder / "made") as root:
        toy_linux(root)
    return await disk_with(part, folder)


async def btrfs_disk(folder: Path, *, subvolume: str, default: bool = False) -> Path:
    part = await empty("btrfs", folder)
    async with mounted(part, folder / "made") as top:
        root = top / subvolume
        await run(["btrfs", "subvolume", "create", root], timeout=60)
        toy_linux(root)
        if default:
            await run(["btrfs", "subvolume", "set-default", root], timeout=60)
    return await disk_with(part, folder)


async def in_format(path: Path, to: DiskFormat) -> Path:
    made = path.parent / f"disk, with a comma.{to}"
    await convert(path, made, to=to)
    return made


def assert_nothing_stays(folder: Path, work: Path, database: Database) -> None:
    assert traces(folder) == set()
    assert [path for path in work.iterdir() if path.suffix != ".view"] == []
    with database.session() as session:
        assert session.query(ResourceRow).count() == 0


async def test_a_root_on_xfs(tmp_path: Path, work: Path, database: Database, ledger: Ledger) -> None:
    raw = await xfs_disk(tmp_path)
    for path in (raw, await in_format(raw, DiskFormat.QCOW2)):
        facts = await inspect(path, work=work, ledger=ledger)
        assert (facts.os_name, facts.os_id, facts.architecture) == ("Toy Linux 9", "toy", "x86_64")
        assert (facts.has_systemd, facts.has_cloud_init, facts.has_waagent) == (True, True, False)
        assert facts.boots == {Generation.V1, Generation.V2}
        assert (facts.root.number, facts.root_system.type) == (ROOT + 1, "xfs")
        assert_nothing_stays(tmp_path, work, database)


async def test_a_journal_is_not_replayed(tmp_path: Path, work: Path, ledger: Ledger) -> None:
    part = await empty("xfs", tmp_path)
    async with mounted(part, tmp_path / "made") as root:
        toy_linux(root)
        # all is in its place, but what comes after is in the journal alone: what a power cut leaves
        for change in ("--freeze", "--unfreeze"):
            await run(["fsfreeze", change, root], timeout=60)
        (root / "late").touch()
        await run(["sync", "--file-system", root], timeout=60)
        cut = tmp_path / "cut.part"
        await run(["cp", "--sparse=always", part, cut], timeout=60)
    path = await disk_with(cut, tmp_path)
    before = path.read_bytes()
    facts = await inspect(path, work=work, ledger=ledger)
    assert facts.os_id == "toy"
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("subvolume", "default", "to"),
    [("root", False, DiskFormat.QCOW2), ("@", False, None), ("snapshot", True, None)],
    ids=["fedora", "ubuntu", "opensuse"],
)
async def test_a_root_on_btrfs(
    tmp_path: Path,
    work: Path,
    database: Database,
    ledger: Ledger,
    *,
    subvolume: str,
    default: bool,
    to: DiskFormat | None,
) -> None:
    path = await btrfs_disk(tmp_path, subvolume=subvolume, default=default)
    if to:
        path = await in_format(path, to)
    facts = await inspect(path, work=work, ledger=ledger)
    assert (facts.os_id, facts.root_system.type) == ("toy", "btrfs")
    assert facts.has_cloud_init
    assert_nothing_stays(tmp_path, work, database)


async def test_what_is_mounted_is_harmless_and_goes(
    tmp_path: Path, work: Path, database: Database, ledger: Ledger
) -> None:
    path = await disk_with(await empty("xfs", tmp_path), tmp_path)
    root = (await partitions(path))[ROOT]
    system = FileSystem(type="xfs")
    with pytest.raises(RuntimeError):
        async with mounted_read_only(path, root, system, work / "mounted", ledger):
            raise RuntimeError
    assert_nothing_stays(tmp_path, work, database)
    async with mounted_read_only(path, root, system, work / "mounted", ledger) as folder:
        assert os.statvfs(folder).f_flag & HARMLESS == HARMLESS
        assert len([trace for trace in traces(tmp_path) if trace.startswith("loop")]) == 1
        # all that is done after a crash
        await unmount(folder)
        assert not [trace for trace in traces(tmp_path) if trace.startswith("loop")]


async def test_a_cancel_does_not_cut_off_the_clearing_up(
    tmp_path: Path, work: Path, database: Database, ledger: Ledger
) -> None:
    path = await disk_with(await empty("xfs", tmp_path), tmp_path)
    root = (await partitions(path))[ROOT]

    async def look() -> None:
        async with mounted_read_only(path, root, FileSystem(type="xfs"), work / "mounted", ledger):
            if task := asyncio.current_task():
                task.cancel()  # takes effect where something is awaited next

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(look())
    assert_nothing_stays(tmp_path, work, database)


async def test_a_damaged_root_is_named(
    tmp_path: Path, work: Path, database: Database, ledger: Ledger
) -> None:
    path = await xfs_disk(tmp_path)
    start = (await partitions(path))[ROOT].start
    with path.open("r+b") as file:
        file.seek(start + 512)  # the header of the free space, behind the superblock: a mount reads it
        file.write(bytes(3 * 512))
        file.seek(start + 224)  # the superblock's checksum
        file.write(bytes(4))
    with pytest.raises(SourceError, match="Partition 4 holds xfs, which cannot be mounted"):
        await inspect(path, work=work, ledger=ledger)
    assert_nothing_stays(tmp_path, work, database)


async def test_a_plain_user_is_told_that_root_can(
    tmp_path: Path, work: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await disk_with(await empty("xfs", tmp_path), tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SourceError, match="may be on xfs, which only root can mount") as caught:
        await inspect(path, work=work, ledger=ledger)
    assert "as root" in (caught.value.hint or "")


async def test_a_container_does_not_take_boot_for_the_root(tmp_path: Path, ledger: Ledger) -> None:
    path = await btrfs_disk(tmp_path, subvolume="root")
    with pytest.raises(UnsupportedError, match="no root file system"):
        async with AttachedRoot(path, tmp_path / "root", ledger):
            pass


async def test_an_xfs_root_grows(tmp_path: Path, ledger: Ledger) -> None:
    path = await xfs_disk(tmp_path)
    os.truncate(path, 2 * SIZE)
    async with AttachedRoot(path, tmp_path / "root", ledger) as root:
        size = os.statvfs(root.seen)
    assert size.f_blocks * size.f_frsize > 600 * MIB


async def test_links_stay_inside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("inside")
    (tmp_path / "outside").write_text("outside")
    links = {
        "absolute": "/etc/passwd",
        "two-slashes": "//etc/passwd",
        "up": "../../../../etc/passwd",
        "etc/up": "../../../../../etc/passwd",
        "folder": "/etc",
        "host": str(tmp_path / "outside"),
        "neighbour": "../outside",
        "round": "round",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    (root / "zero").touch()
    files = MountedFiles(root)
    for path in ("/absolute", "/two-slashes", "/up", "/etc/up", "/folder/passwd", "/../etc/passwd"):
        assert await files.read(path) == b"inside", path
    for path in ("/host", "/neighbour", "/round", "/pipe", "/etc", "/zero/below", "/none"):
        assert await files.read(path) == b"", path
    assert await files.exists("/neighbour")
    assert await files.exists("/folder/passwd")
    assert not await files.exists("/neighbour/below")
    assert not await files.exists("/host/..")
    assert await files.names("/folder") == ("passwd", "up")
    assert await files.names("/etc/passwd") == await files.names("/host") == await files.names("/none") == ()
    (tmp_path / "link").symlink_to("/")
    assert not await MountedFiles(tmp_path / "link").exists("/etc/passwd")
