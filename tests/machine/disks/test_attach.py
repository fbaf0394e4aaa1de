"""A disk's root file system on this host: found, grown, mounted, frozen."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.host_traces import traces
from vmwright import process
from vmwright.disks.attach import AttachedRoot, detach
from vmwright.disks.mounts import mounted, unmount
from vmwright.errors import UnsupportedError
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.machine

MIB = 1 << 20
LAYOUT = b"label: gpt\nsize=1M, type=21686148-6449-6E6F-744E-656564454649\nsize=%dM\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield Ledger(database)
    database.close()


async def raw_disk(folder: Path, *, root_mib: int, total_mib: int, system: str) -> Path:
    raw = folder / "disk.raw"
    raw.touch()
    os.truncate(raw, total_mib * MIB)
    await process.run(["sfdisk", "--quiet", raw], stdin=LAYOUT % root_mib, timeout=30)
    if system:
        place = ["-E", f"offset={2 * MIB}", str(raw), f"{root_mib}M"]
        await process.run([f"mkfs.{system}", "-q", *place], timeout=30)
    return raw


async def test_a_small_root_grows_and_can_be_frozen(tmp_path: Path, ledger: Ledger) -> None:
    raw = await raw_disk(tmp_path, root_mib=32, total_mib=128, system="ext4")
    async with AttachedRoot(raw, tmp_path / "root", ledger) as root:
        size = os.statvfs(root.seen)
        assert size.f_blocks * size.f_frsize > 100 * MIB
        async with root.frozen():
            writing = asyncio.ensure_future(asyncio.to_thread((root.seen / "late").write_text, "x"))
            assert await asyncio.wait({writing}, timeout=0.3) == (set(), {writing})
        await writing
        await root.trim()
    assert not (tmp_path / "root").exists()


async def test_a_failure_while_frozen_thaws(tmp_path: Path, ledger: Ledger) -> None:
    raw = await raw_disk(tmp_path, root_mib=32, total_mib=40, system="ext4")
    async with AttachedRoot(raw, tmp_path / "root", ledger) as root:
        with pytest.raises(RuntimeError):
            async with root.frozen():
                raise RuntimeError
        (root.seen / "written").touch()


async def test_a_file_system_that_nobody_can_thaw_any_more_is_let_go(tmp_path: Path, ledger: Ledger) -> None:
    raw = await raw_disk(tmp_path, root_mib=32, total_mib=40, system="ext4")
    async with AttachedRoot(raw, tmp_path / "root", ledger) as root:
        await process.run([*root.enter(), "fsfreeze", "--freeze", root.folder], timeout=10)
        os.kill(int(root.seen.parts[2]), signal.SIGKILL)
    assert traces(tmp_path) == set()


async def test_a_disk_without_a_root_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    raw = await raw_disk(tmp_path, root_mib=32, total_mib=40, system="")
    with pytest.raises(UnsupportedError, match="no root file system"):
        async with AttachedRoot(raw, tmp_path / "root", ledger):
            pass


async def test_removal_may_be_repeated(tmp_path: Path) -> None:
    assert not mounted(tmp_path)
    await unmount(tmp_path)
    await detach(tmp_path / "nothing")
    await process.run(["mount", "-t", "tmpfs", "none", tmp_path], timeout=10)
    assert mounted(tmp_path)
    await unmount(tmp_path)
    assert not mounted(tmp_path)
