"""Farms of real workers on one source disk, and what their images are compared with."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.farm import Farm, Host, counting_template
from tests.image_trees import Entry, differences, mounted, tree_of
from tests.postgres import PostgreSQL
from vmwright.settings import Settings, StoreSettings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

SOURCE = "Debian:debian-12:12:12.0.1"


def add_source(farm: Farm, host: Host, disk: Path) -> None:
    done = farm.command(host)("sources", "add", SOURCE, str(disk))
    assert done.code == 0, done.err


@pytest.fixture
def one_host(tmp_path: Path, debian_disk: Path) -> Iterator[Farm]:
    """A farm of this host alone, with SQLite."""
    with Farm.opened(tmp_path) as farm:
        add_source(farm, farm.add_host(), debian_disk)
        yield farm


@pytest.fixture
def two_hosts(tmp_path: Path, debian_disk: Path, postgresql: PostgreSQL) -> Iterator[Farm]:
    """A farm of this host and another one that share a PostgreSQL and a folder as their store."""
    (store := tmp_path / "store").mkdir()
    with shared_farm(tmp_path, debian_disk, postgresql, StoreSettings(url=store.as_uri())) as farm:
        yield farm


@contextlib.contextmanager
def shared_farm(folder: Path, disk: Path, postgresql: PostgreSQL, store: StoreSettings) -> Iterator[Farm]:
    with postgresql.migrated() as database, Farm.opened(folder, database, store) as farm:
        add_source(farm, farm.add_host(), disk)
        farm.add_host(other=True)
        yield farm


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, debian_disk: Path) -> dict[str, Entry]:
    """The files of the image of ``counting_template`` that nobody has disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Farm.opened(folder) as farm:
        host = farm.add_host()
        add_source(farm, host, debian_disk)
        done = farm.command(host)("build", counting_template(folder, "undisturbed", holds=False))
        assert done.code == 0, done.err
        return files_of(image_of(host.home, "undisturbed"), folder)


@pytest.fixture
def is_undisturbed(undisturbed: dict[str, Entry], tmp_path: Path) -> Callable[[Path], None]:
    """Sees that an image is the same as one that nobody has disturbed."""

    def compare(image: Path) -> None:
        assert differences(undisturbed, files_of(image, tmp_path)) == []

    return compare


def image_of(home: Path, name: str) -> Path:
    """Return the one VHD that a build has distributed."""
    (image,) = (home / "artifacts" / "vhds").glob(f"*/{name}_*.vhd")
    return image


def files_of(image: Path, folder: Path) -> dict[str, Entry]:
    with tempfile.TemporaryDirectory(dir=folder) as work:
        return in_a_loop(_files_of(image, Path(work)))


def in_a_loop(work: Coroutine[Any, Any, dict[str, Entry]]) -> dict[str, Entry]:
    # in a thread: the loops of the tests are left alone
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _files_of(image: Path, work: Path) -> dict[str, Entry]:
    database = open_database(Settings(home=work / "home"))
    try:
        async with mounted(image, work / "look", Ledger(database)) as root:
            return tree_of(root)
    finally:
        database.close()
