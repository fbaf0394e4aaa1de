"""Small real disks that hold a guest's traces, and the rooms behind the sources over a real database."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import stamina

from tests.vendor_sites import Sites
from vmwright.artifacts import ArtifactStore, RegionStores
from vmwright.disks.conversion import convert
from vmwright.disks.inspect import inspect
from vmwright.disks.qemu_img import DiskFormat
from vmwright.downloads import Downloader
from vmwright.events import Event, Events
from vmwright.images import ImageLibrary, VersionLibrary
from vmwright.process import run
from vmwright.settings import DebianSettings, Settings
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.context import SourceContext
from vmwright.sources.debian import DebianDisk
from vmwright.state.database import Database
from vmwright.state.resources import Ledger

MIB = 1 << 20
ELF = b"\x7fELF" + bytes(14) + b"\x3e" + bytes(80)


async def make_disk(path: Path, *, name: str) -> Path:
    """Make a raw disk of 8 MiB that BIOS would start, with ``name`` in its os-release."""
    tree = path.with_suffix(".tree")
    (tree / "usr" / "lib").mkdir(parents=True)
    (tree / "usr" / "lib" / "os-release").write_text(f'ID=debian\nPRETTY_NAME="{name}"\n')
    with path.open("wb") as file:
        file.truncate(8 * MIB)
    await run(["sfdisk", "-q", path], timeout=30, stdin=b"label: dos\nstart=2048, type=83, bootable\n")
    offset = f"offset={MIB}"
    await run(["mke2fs", "-q", "-t", "ext4", "-E", offset, "-d", tree, path, "7M"], timeout=30)
    with path.open("r+b") as file:
        file.write(b"\xfa" * 440)
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def raw_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await make_disk(tmp_path_factory.mktemp("disk") / "disk.raw", name="Tiny 1")


class FakeDebian:
    """Stands in for the bootstrap, which takes a minute: each disk is a real one of another version."""

    def __init__(self) -> None:
        self.made = 0

    async def __call__(
        self, folder: Path, /, *, settings: DebianSettings, events: Events, ledger: Ledger
    ) -> DebianDisk:
        self.made += 1
        raw = await make_disk(folder / "debian.raw", name=f"Debian {self.made}")
        facts = await inspect(raw, work=folder, ledger=ledger)
        await convert(raw, folder / "debian.qcow2", to=DiskFormat.QCOW2)
        kernel = folder / "vmlinuz-6.1"
        kernel.write_text("a kernel")
        version = f"12.9.{self.made}"
        return DebianDisk(path=folder / "debian.qcow2", kernel=kernel, facts=facts, version=version)


@pytest.fixture
def said() -> list[Event]:
    return []


@pytest.fixture
def debian() -> FakeDebian:
    return FakeDebian()


@pytest.fixture
def context(settings: Settings, database: Database, debian: FakeDebian, said: list[Event]) -> SourceContext:
    artifacts = ArtifactStore(settings.home, database)
    events = Events(said.append)
    return SourceContext(
        settings=settings,
        catalogue=Catalogue(database, artifacts),
        artifacts=artifacts,
        images=ImageLibrary(database, artifacts),
        versions=VersionLibrary(database, artifacts, RegionStores(settings)),
        downloader=Downloader(settings, events),
        events=events,
        ledger=Ledger(database),
        bootstrap=debian,
    )


@pytest.fixture
async def web(raw_disk: Path) -> AsyncIterator[Callable[[str], str]]:
    """Serve the folder of the raw disk; gives the URL of a name."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any, **__: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(raw_disk.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield lambda name: f"http://127.0.0.1:{server.server_port}/{name}"
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def any_boot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A qcow2 of 12 MiB that BIOS and UEFI would start."""
    folder = tmp_path_factory.mktemp("any-boot")
    tree = folder / "tree"
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/lib").mkdir()
    (tree / "usr/bin/env").write_bytes(ELF)
    (tree / "usr/lib/os-release").write_text('ID=tiny\nPRETTY_NAME="Tiny Vendor 1"\n')
    esp, raw, qcow2 = folder / "esp", folder / "disk.raw", folder / "disk.qcow2"
    loader = folder / "loader"
    loader.write_bytes(b"MZ")
    await run(["mkfs.fat", "-C", esp, "2048"], timeout=30)
    await run(["mmd", "-i", esp, "::/EFI", "::/EFI/BOOT"], timeout=30)
    await run(["mcopy", "-i", esp, loader, "::/EFI/BOOT/BOOTX64.EFI"], timeout=30)
    with raw.open("wb") as file:
        file.truncate(12 * MIB)
    layout = b"label: gpt\nstart=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\n"
    layout += b"start=4096, size=4096, type=uefi\nstart=8192, size=14336, type=linux\n"
    await run(["sfdisk", "-q", raw], timeout=30, stdin=layout)
    await run(["mke2fs", "-q", "-t", "ext4", "-E", f"offset={4 * MIB}", "-d", tree, raw, "7M"], timeout=30)
    with raw.open("r+b") as file:
        file.write(b"\xfa" * 440)
        file.seek(2 * MIB)
        file.write(esp.read_bytes())
    await convert(raw, qcow2, to=DiskFormat.QCOW2)
    return qcow2


@pytest.fixture
def sites(tmp_path: Path, any_boot: Path) -> Sites:
    (tmp_path / "sites").mkdir()
    return Sites(tmp_path / "sites", any_boot)


@pytest.fixture
def online(sites: Sites) -> Iterator[str]:
    with sites.served() as base:
        yield base


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture
def through(context: SourceContext, sites: Sites, said: list[Event]) -> Callable[[str], SourceContext]:
    """Gives the rooms behind the sources, with mirrors that lead every vendor's address to a base."""

    def one(base: str) -> SourceContext:
        settings = context.settings.model_copy(update={"mirrors": sites.mirrors(base)})
        downloader = Downloader(settings, Events(said.append))
        return dataclasses.replace(context, settings=settings, downloader=downloader)

    return one
