"""A database of an earlier version: its rows stay, at whatever moment its upgrade is broken off."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from vmwright.artifacts import ArtifactStore, RegionStores
from vmwright.artifacts.facts import Provisioning
from vmwright.builds.records import runs
from vmwright.errors import VmwrightError
from vmwright.images import ImageLibrary, VersionLibrary
from vmwright.settings import Settings
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.urn import Urn
from vmwright.state import database as state
from vmwright.state.database import open_database
from vmwright.state.migrations import configuration

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-01-02 03:04:05.000000"
DIGEST = "ab" * 32
IMAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/web"
OPEN = "import sys, pathlib; from vmwright.state.database import open_database; "
OPEN += "open_database(pathlib.Path(sys.argv[1])).close()"
ROWS: dict[str, dict[str, object]] = {
    "builds": {
        "id": "b1", "name": "web", "template": "{}", "run_state": "Succeeded", "folder": "/f", "message": "",
        "owner_pid": 1, "owner_started": "1", "boot_id": "x", "started_at": AT, "ended_at": AT,
    },
    "artifacts": {"digest": DIGEST, "size_bytes": 5, "format": "qcow2", "created_at": AT},
    "images": {
        "key": IMAGE.lower(), "resource_id": IMAGE, "location": "westus2", "digest": DIGEST,
        "os_type": "Linux", "os_name": "Debian 12", "generation": "V2", "size_bytes": 5,
        "tags": json.dumps({"a": "b"}), "build_id": "b1", "created_at": AT,
    },
    "sources": {
        "publisher": "Debian", "offer": "debian-12", "sku": "12", "version": "0.1", "digest": DIGEST,
        "os_type": "Linux", "os_name": "Debian 12", "generation": "V2", "size_bytes": 5,
        "origin": "/disk", "created_at": AT,
    },
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The data of the first version, with a build, its image and a source."""
    engine = create_engine(f"sqlite:///{tmp_path / state.FILE_NAME}")
    old = configuration()
    with engine.begin() as connection:
        old.attributes["connection"] = connection
        command.upgrade(old, "0001")
        for table, row in ROWS.items():
            places = ", ".join(f":{name}" for name in row)
            insert = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"  # noqa: S608 - names of ours
            connection.execute(text(insert), row)
    engine.dispose()
    return tmp_path


def check_whole(home: Path) -> None:
    database = open_database(home)
    artifacts = ArtifactStore(home, database)
    image = ImageLibrary(database, artifacts).get(IMAGE)
    assert (image.digest, image.tags, image.build_id) == (DIGEST, {"a": "b"}, "b1")
    assert image.facts.provisioning is Provisioning.NOCLOUD
    source = Catalogue(database, artifacts).find(Urn("Debian", "debian-12", "12", "latest"))
    assert source is not None
    assert (source.urn.version, source.facts.provisioning) == ("0.1", Provisioning.NOCLOUD)
    assert [run.name for run in runs(database)] == ["web"]
    assert VersionLibrary(database, artifacts, RegionStores(Settings(home=home))).list() == []
    database.close()


def test_what_the_first_version_recorded_is_read(home: Path) -> None:
    check_whole(home)


def test_an_upgrade_that_was_broken_off_is_made_again(home: Path) -> None:
    with sqlite3.connect(home / state.FILE_NAME) as connection:
        connection.execute("CREATE TABLE replicas (id INTEGER)")  # the last that the upgrade makes
    connection.close()
    with pytest.raises(VmwrightError, match="replicas"):
        open_database(home)
    with sqlite3.connect(home / state.FILE_NAME) as connection:
        connection.execute("DROP TABLE replicas")
    connection.close()
    check_whole(home)


@pytest.mark.parametrize("is_new", [False, True])
async def test_of_several_at_once_one_upgrades(home: Path, *, is_new: bool) -> None:
    folder = home / "new" if is_new else home
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, str(folder)) for _ in range(3)
    ]
    assert [await one.wait() for one in started] == [0, 0, 0]
    check_whole(home)
