"""Growing a root file system on a real disk, through a loop device; the rest of the disk stays whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vmwright.disks.attach import AttachedRoot
from vmwright.disks.conversion import convert
from vmwright.disks.filetree import ExtFiles
from vmwright.disks.inspect import inspect
from vmwright.disks.qemu_img import DiskFormat
from vmwright.process import run
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow

pytestmark = pytest.mark.machine

SIZE = 6 << 30


async def test_an_ext4_root_fills_a_larger_disk(debian_disk: Path, tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    await convert(debian_disk, raw, to=DiskFormat.RAW)
    os.truncate(raw, SIZE)
    database = open_database(Settings(home=tmp_path / "home"))
    mounts = tmp_path / "mounts"
    mounts.mkdir(mode=0o700)
    async with AttachedRoot(raw, mounts / "root", Ledger(database)) as root:
        mounted = os.statvfs(root.seen)
    assert mounted.f_blocks * mounted.f_frsize > 5 << 30
    # resize2fs on the file itself would have cut it to the size of the file system
    assert raw.stat().st_size == SIZE
    facts = await inspect(raw, work=tmp_path, ledger=Ledger(database))
    place = f"{raw}?offset={facts.root.start}"
    header = (await run(["dumpe2fs", "-h", place], timeout=60)).text
    fields = dict(line.split(":", 1) for line in header.splitlines() if ":" in line)
    assert int(fields["Block count"]) * int(fields["Block size"]) > SIZE - (80 << 20)
    await run(["e2fsck", "-f", "-n", place], timeout=300)
    assert b"debian" in await ExtFiles(raw, facts.root).read("/usr/lib/os-release")
    with database.session() as session:
        assert session.query(ResourceRow).count() == 0
    database.close()
    loops = [file.read_text() for file in Path("/sys/block").glob("loop*/loop/backing_file")]
    assert not any(str(raw) in loop for loop in loops)
