"""What all rings of tests share."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests import postgres
from tests.parity import Parity
from tests.postgres import PostgreSQL
from vmwright.events import Events
from vmwright.settings import DatabaseSettings, DebianSettings, Settings
from vmwright.sources.debian import bootstrap
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


class BootsOnOneWorker(LoadScopeScheduling):
    """Gives all emulated boots to one worker: they take longest, and two at a time gain nothing."""

    def _split_scope(self, nodeid: str) -> str:
        return "boots" if is_boot_file(Path(nodeid.partition("::")[0])) else nodeid


def is_boot_file(file: Path) -> bool:
    """Whether a file of tests is one of those that boot whole virtual machines, by its name."""
    return file.stem.endswith(("_boot", "_boots"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BootsOnOneWorker:
    return BootsOnOneWorker(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--parity", type=Path, help="write which test shows which operation, with which client, to this page"
    )


def pytest_configure(config: pytest.Config) -> None:
    page: Path | None = config.getoption("--parity")
    if page is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Parity(page))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("emulated") and not is_boot_file(item.path):
            raise pytest.UsageError(f"{item.path}: a file with emulated boots is named test_*_boots.py")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL for the tests of this worker."""
    with postgres.started() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_settings(request: pytest.FixtureRequest) -> Iterator[DatabaseSettings]:
    """The configuration of an empty database: each test with it runs once on either kind."""
    if request.param == "sqlite":
        yield DatabaseSettings()
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    with server.migrated() as settings:
        yield settings


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
    database = open_database(Settings(home=folder / "home"))
    try:
        disk = await bootstrap(folder, settings=DebianSettings(), events=Events(), ledger=Ledger(database))
    finally:
        database.close()
    return disk.path
