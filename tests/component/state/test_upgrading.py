"""A database of an earlier version: its rows stay, at whatever moment its upgrade is broken off."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from alembic import command
from sqlalchemy import MetaData, inspect, select, text

from vmwright.artifacts import ArtifactStore, RegionStores
from vmwright.artifacts.facts import Provisioning
from vmwright.errors import VmwrightError
from vmwright.images import ImageLibrary, VersionLibrary
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.urn import Urn
from vmwright.state.database import open_database
from vmwright.state.host import host_id
from vmwright.state.migrations import configuration
from vmwright.state.tables import BuildRow, LogRow, ResourceRow, RunOutputRow, StepRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Engine

    from vmwright.settings import Settings

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = "ab" * 32
GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/gal"
DEFINITION = f"{GALLERY}/images/web"
IMAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/web"
OPEN = "from vmwright.settings import load; from vmwright.state.database import open_database; "
OPEN += "open_database(load()).close()"
ROWS: dict[str, dict[str, object]] = {
    "builds": {
        "id": "b1", "name": "web", "template": {}, "run_state": "Succeeded", "folder": "/f", "message": "",
        "owner_pid": 1, "owner_started": "1", "boot_id": "x", "started_at": AT, "ended_at": AT,
    },
    "resources": {
        "build_id": "b1", "kind": "path", "identity": "/p", "owner_pid": 1, "owner_started": "1",
        "boot_id": "x", "created_at": AT,
    },
    "artifacts": {"digest": DIGEST, "size_bytes": 5, "format": "qcow2", "created_at": AT},
    "images": {
        "key": IMAGE.lower(), "resource_id": IMAGE, "location": "westus2", "digest": DIGEST,
        "os_type": "Linux", "os_name": "Debian 12", "generation": "V2", "size_bytes": 5,
        "tags": {"a": "b"}, "build_id": "b1", "created_at": AT,
    },
    "sources": {
        "publisher": "Debian", "offer": "debian-12", "sku": "12", "version": "0.1", "digest": DIGEST,
        "os_type": "Linux", "os_name": "Debian 12", "generation": "V2", "size_bytes": 5,
        "origin": "/disk", "created_at": AT,
    },
}  # fmt: skip


AT_ONCE = 2
STEP = {
    "build_id": "b1",
    "number": 1,
    "name": "one",
    "kind": "Shell",
    "state": "Succeeded",
    "started_at": AT,
}
OUTPUT = {
    "build_id": "b1",
    "name": "out",
    "kind": "VHD",
    "provisioning_state": "Succeeded",
    "tags": {},
    "error": "",
}
VERSION = {
    "key": "/v",
    "definition": "/d",
    "resource_id": f"{DEFINITION}/versions/1.0.0",
    "location": "westus2",
    "digest": DIGEST,
    "os_type": "Linux",
    "os_name": "Debian 12",
    "generation": "V2",
    "size_bytes": 5,
    "provisioning": "NoCloud",
    "provisioning_state": "Succeeded",
    "exclude_from_latest": False,
    "tags": {},
    "build_id": "b1",
    "created_at": AT,
}
GALLERIES: dict[str, dict[str, object]] = {
    "galleries": {
        "key": "/g", "resource_id": GALLERY, "location": "westus2", "tags": {}, "created_at": AT,
    },
    "definitions": {
        "key": "/d", "gallery": "/g", "resource_id": DEFINITION, "location": "westus2", "os_type": "Linux",
        "generation": "V2", "publisher": "p", "offer": "o", "sku": "s", "tags": {}, "created_at": AT,
    },
    "versions": VERSION,
    "replicas": {
        "version": "/v", "region": "westus2", "regional_replica_count": 1,
        "storage_account_type": "Standard_LRS", "path": "/r", "created_at": AT,
    },
}  # fmt: skip


def insert(connection: Connection, rows: Mapping[str, Mapping[str, object]]) -> None:
    for table, row in rows.items():
        known = MetaData()
        known.reflect(connection, only=[table])
        connection.execute(known.tables[table].insert(), row)


@pytest.fixture(params=["0001", "0002"])
def old(request: pytest.FixtureRequest, empty: Settings, engine: Engine) -> Settings:
    """The data of an earlier schema: a build with a step and an output, its images, a source."""
    version: str = request.param
    earlier = configuration()
    with engine.begin() as connection:
        earlier.attributes["connection"] = connection
        command.upgrade(earlier, "0001")
        insert(connection, {**ROWS, "steps": STEP, "run_outputs": OUTPUT})
        command.upgrade(earlier, version)
        if version > "0001":
            insert(connection, GALLERIES)
    return empty


def check_whole(settings: Settings, *, versions: int) -> None:
    database = open_database(settings)
    artifacts = ArtifactStore(settings.home, database)
    image = ImageLibrary(database, artifacts).get(IMAGE)
    assert (image.digest, image.tags, image.build_id) == (DIGEST, {"a": "b"}, "b1")
    assert image.facts.provisioning is Provisioning.NOCLOUD
    source = Catalogue(database, artifacts).find(Urn("Debian", "debian-12", "12", "latest"))
    assert source is not None
    assert (source.urn.version, source.facts.provisioning) == ("0.1", Provisioning.NOCLOUD)
    made = VersionLibrary(database, artifacts, RegionStores(settings)).list()
    assert [(one.build_id, one.regions) for one in made] == [("b1", ("westus2",))] * versions
    with database.session() as session:
        build = session.scalars(select(BuildRow)).one()
        assert (build.id, build.key, build.attempt, build.executor) == ("b1", "web", 1, None)
        step = session.scalars(select(StepRow)).one()
        assert (step.build_id, step.name, step.attempt) == ("b1", "one", 1)
        assert session.scalars(select(RunOutputRow.name)).all() == ["out"]
        logs = session.scalars(select(LogRow.path).order_by(LogRow.id)).all()
        assert logs == ["/f/customization.log", "/f/validation.log"]
        assert session.scalars(select(ResourceRow.host)).all() == [host_id()]
    database.close()


def versions_of(engine: Engine) -> int:
    with engine.connect() as connection:
        return 1 if inspect(connection).has_table("versions") else 0


def test_what_an_earlier_version_recorded_is_read(old: Settings, engine: Engine) -> None:
    check_whole(old, versions=versions_of(engine))


def test_an_upgrade_that_was_broken_off_is_made_again(old: Settings, engine: Engine) -> None:
    versions = versions_of(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE logs (id INTEGER)"))  # the upgrade makes it after most others
    with pytest.raises(VmwrightError, match=r"cannot be used:.*logs"):
        open_database(old)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE logs"))
    check_whole(old, versions=versions)


@pytest.mark.parametrize("old", ["0001"], indirect=True)
async def test_of_several_at_once_one_upgrades(old: Settings, engine: Engine) -> None:
    versions = versions_of(engine)
    await open_at_once(old)
    check_whole(old, versions=versions)


async def test_of_several_at_once_one_makes_the_tables(empty: Settings) -> None:
    await open_at_once(empty)
    open_database(empty).close()


async def open_at_once(settings: Settings) -> None:
    environment = {**os.environ, "VMWRIGHT_HOME": str(settings.home)}
    if settings.database.url:
        environment["VMWRIGHT_DATABASE__URL"] = settings.database.url.get_secret_value()
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, env=environment)
        for _ in range(AT_ONCE)
    ]
    assert [await one.wait() for one in started] == [0] * AT_ONCE
