"""What clients of Azure Storage, as they are, make of the VHD of a build."""

from __future__ import annotations

import asyncio
import filecmp
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import BlobClient

from tests.build_rows import build_row
from tests.component.arm.serving.test_serving import running
from vmwright.arm import ids
from vmwright.arm.providers.image_templates import staging
from vmwright.arm.providers.storage import accounts
from vmwright.arm.providers.storage.signatures import Grant, signatures_of
from vmwright.arm.store import ResourceStore
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.tables import RunOutputRow

TEMPLATE = "/subscriptions/{}/resourceGroups/g/providers/Microsoft.VirtualMachineImages/imageTemplates/web"
HOLE_BYTES = 256 << 20
FOOTER = b"conectix" + bytes(504)


@pytest.fixture
def disk(settings: Settings, database: Database) -> tuple[str, Path]:
    """The signed address of a VHD with a large hole, below the service's, and its file."""
    store = ResourceStore(database)
    wanted = ids.parse(TEMPLATE.format(settings.service.subscription))
    template, _ = store.put(
        wanted,
        kind=wanted.type,
        location="westus",
        body={"properties": {}},
        tags={},
        api_version="2024-02-01",
        principal="",
    )
    group = ids.parse(staging.prepare(store, template, "", unique="unique", tags={}))
    build = build_row(template_id=template.id)
    file = settings.home / "artifacts" / "vhds" / build.id / "disk.vhd"
    file.parent.mkdir(parents=True)
    with file.open("wb") as writing:
        writing.write(b"begin")
        writing.seek(HOLE_BYTES)
        writing.write(FOOTER)
    with database.session() as session:
        session.add(build)
        session.flush()
        session.add(
            RunOutputRow(
                build_id=build.id,
                name="disk",
                kind="VHD",
                provisioning_state="Succeeded",
                artifact_uri=file.as_uri(),
                tags={},
            )
        )
    place = f"{accounts.account_id(group, wanted).name}/vhds/{file.name}"
    grant = Grant(resource=place, kind="b", expires_at=datetime.now(UTC) + timedelta(hours=1))
    return f"{place}?{signatures_of(settings).sign(grant)}", file


async def test_the_sdk_downloads_a_disk_with_holes(
    settings: Settings, database: Database, events: Events, disk: tuple[str, Path], tmp_path: Path
) -> None:
    address, file = disk
    async with running(settings, database, events) as service:

        def download() -> None:
            blob = BlobClient.from_blob_url(
                f"{service.opened.url}/{address}", connection_verify=str(service.opened.ca)
            )
            with blob, (tmp_path / "copy.vhd").open("wb") as copy:
                assert blob.get_blob_properties().size == HOLE_BYTES + len(FOOTER)
                assert blob.download_blob(offset=HOLE_BYTES, length=8).readall() == b"conectix"
                blob.download_blob().readinto(copy)

        await asyncio.to_thread(download)
    assert filecmp.cmp(file, tmp_path / "copy.vhd", shallow=False)
