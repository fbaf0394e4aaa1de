"""What all rings of tests share."""

from __future__ import annotations

import asyncio
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vmwright.events import Events
from vmwright.settings import DebianSettings
from vmwright.sources.debian import bootstrap
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all emulated boots to one worker, first: they take longest, and two at once gain nothing."""
    for item in items:
        if item.get_closest_marker("emulated"):
            item.add_marker(pytest.mark.xdist_group("emulated"))
    items.sort(key=lambda item: item.get_closest_marker("emulated") is None)


@pytest.fixture(scope="session")
def debian_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A read-only qcow2 with Debian 12: $VMWRIGHT_TEST_DISK, or bootstrapped once for all workers."""
    if given := os.environ.get("VMWRIGHT_TEST_DISK"):
        return Path(given)
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "debian-disk"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made := sorted(folder.glob("*.qcow2"))):
            # in a thread: the loops of the tests are left alone
            with ThreadPoolExecutor(1) as pool:
                made = [pool.submit(asyncio.run, _bootstrap(folder)).result()]
            made[0].chmod(0o444)
    return made[0]


async def _bootstrap(folder: Path) -> Path:
    database = open_database(folder / "home")
    try:
        disk = await bootstrap(folder, settings=DebianSettings(), events=Events(), ledger=Ledger(database))
    finally:
        database.close()
    return disk.path
