"""Bootstrapping Debian for real: what it makes, and that nothing stays where it fails or is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmwright.disks.conversion import convert
from vmwright.disks.filetree import ExtFiles, FatFiles
from vmwright.disks.inspect import inspect
from vmwright.disks.partitions import read_table
from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import SourceError
from vmwright.events import Event, Events, Output
from vmwright.process import run
from vmwright.settings import DebianSettings, Settings
from vmwright.sources.debian import bootstrap
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow
from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.state.database import Database

pytestmark = pytest.mark.machine

NOBODY_LISTENS = "http://127.0.0.1:9/debian"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


async def test_the_disk_is_a_generalized_debian(
    debian_disk: Path, tmp_path: Path, database: Database
) -> None:
    facts = await inspect(debian_disk, work=tmp_path, ledger=Ledger(database))
    assert (facts.os_type, facts.os_id, facts.architecture) == (OsType.LINUX, "debian", "x86_64")
    assert facts.boots == {Generation.V1, Generation.V2}
    assert (facts.has_waagent, facts.has_cloud_init, facts.has_systemd) == (True, True, True)
    raw = tmp_path / "disk.raw"
    await convert(debian_disk, raw, to=DiskFormat.RAW)
    table = await read_table(raw)
    files = ExtFiles(raw, facts.root)
    listing = await run(["debugfs", "-R", "ls -p /etc/ssh", f"{raw}?offset={facts.root.start}"], timeout=60)
    assert "sshd_config" in listing.text
    assert "ssh_host_" not in listing.text
    assert await files.read("/etc/machine-id") == b""
    assert await files.read("/etc/hostname") == b"localhost\n"
    assert b"root:*:" in await files.read("/etc/shadow")
    assert f"UUID={facts.root_system.uuid} / ext4".encode() in await files.read("/etc/fstab")
    assert facts.root_system.uuid.encode() in await files.read("/boot/grub/grub.cfg")
    assert b"bookworm-security" in await files.read("/etc/apt/sources.list")
    assert b"\nProvisioning.Agent=cloud-init\n" in await files.read("/etc/waagent.conf")
    assert not await files.exists("/etc/dpkg/dpkg.cfg.d/99mmdebstrap")
    assert table.esp is not None
    assert await FatFiles(raw, table.esp).exists("/EFI/debian/grub.cfg")
    checked = await run(["e2fsck", "-f", "-n", f"{raw}?offset={facts.root.start}"], timeout=300)
    assert checked.returncode == 0


async def test_no_network_is_said_with_a_way_out(tmp_path: Path, database: Database) -> None:
    said: list[Event] = []
    with pytest.raises(SourceError, match="Debian 12 could not be bootstrapped") as caught:
        await bootstrap(
            tmp_path,
            settings=DebianSettings(mirror=NOBODY_LISTENS),
            events=Events(said.append),
            ledger=Ledger(database),
        )
    assert "debian.mirror" in (caught.value.hint or "")
    assert NOBODY_LISTENS in caught.value.message
    assert any(isinstance(event, Output) for event in said)
    nothing_left(tmp_path, database)


async def test_cancel_leaves_nothing(tmp_path: Path, database: Database) -> None:
    """Cancelled while packages are configured in the tree, with /proc and /dev mounted in it."""
    begun = asyncio.Event()

    def reader(event: Event) -> None:
        if isinstance(event, Output) and "installing remaining packages" in event.line:
            begun.set()

    task = asyncio.create_task(
        bootstrap(tmp_path, settings=DebianSettings(), events=Events(reader), ledger=Ledger(database))
    )
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=300)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    waiting.cancel()
    assert begun.is_set()
    assert task.cancelled()
    nothing_left(tmp_path, database)


def nothing_left(folder: Path, database: Database) -> None:
    assert [path.name for path in folder.iterdir()] == ["home"]
    with database.session() as session:
        assert session.query(ResourceRow).count() == 0
    assert str(folder) not in Path("/proc/self/mounts").read_text()
    # processes that a kill has missed would still name the folder
    assert not [name for name in commands() if str(folder) in name]


def commands() -> Iterator[str]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
