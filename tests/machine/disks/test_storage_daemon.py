"""A qcow2 chain shown as a raw file: reading, live layers, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vmwright import process
from vmwright.disks.mounts import mounted
from vmwright.disks.storage_daemon import StorageDaemon
from vmwright.errors import ProcessError
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.machine

MIB = 1 << 20


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield Ledger(database)
    database.close()


@pytest.fixture
async def disk(tmp_path: Path) -> Path:
    disk = tmp_path / "with,comma.qcow2"
    await process.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"], timeout=30)
    return disk


def write(raw: Path, data: bytes) -> None:
    with raw.open("r+b") as file:
        file.write(data)


def read(raw: Path, size: int) -> bytes:
    with raw.open("rb") as file:
        return file.read(size)


async def test_layers_are_made_under_an_open_file(disk: Path, tmp_path: Path, ledger: Ledger) -> None:
    layers = [disk, tmp_path / "one.qcow2", tmp_path / "two.qcow2"]
    async with StorageDaemon(disk, tmp_path / "x.raw", ledger) as daemon:
        assert daemon.raw.stat().st_size == 16 * MIB
        with daemon.raw.open("r+b", buffering=0) as file:
            for number, layer in enumerate(layers[1:], 1):
                file.seek(0)
                file.write(b"%d" % number)
                await daemon.snapshot(layer)
                assert daemon.disk == layer
            file.seek(0)
            file.write(b"3")
    assert not daemon.raw.exists()
    for number, layer in enumerate(layers, 1):
        async with StorageDaemon(layer, tmp_path / "x.raw", ledger, writable=False) as daemon:
            assert read(daemon.raw, 1) == b"%d" % number


async def test_a_layer_is_never_overwritten(disk: Path, tmp_path: Path, ledger: Ledger) -> None:
    taken = tmp_path / "taken.qcow2"
    taken.write_bytes(b"precious")
    async with StorageDaemon(disk, tmp_path / "x.raw", ledger) as daemon:
        for layer, said in (
            (taken, "There is a layer"),
            (tmp_path.relative_to("/") / "a", "absolute path"),
        ):
            with pytest.raises(ProcessError, match=said):
                await daemon.snapshot(layer)
        write(daemon.raw, b"still writable")
        await daemon.snapshot(tmp_path / "free.qcow2")
    assert taken.read_bytes() == b"precious"


async def test_a_read_only_view_refuses_writes(disk: Path, tmp_path: Path, ledger: Ledger) -> None:
    before = disk.read_bytes()
    async with StorageDaemon(disk, tmp_path / "x.raw", ledger, writable=False) as daemon:
        with pytest.raises(OSError, match=r"Permission|Read-only|not permitted"):
            write(daemon.raw, b"no")
    assert disk.read_bytes() == before


async def test_what_cannot_be_opened_leaves_nothing(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "no.qcow2").write_bytes(b"no disk" * 1000)
    with pytest.raises(ProcessError, match="Image is not in qcow2 format"):
        async with StorageDaemon(tmp_path / "no.qcow2", tmp_path / "x.raw", ledger):
            pass
    assert not mounted(tmp_path / "x.raw")
    assert not (tmp_path / "x.raw").exists()
