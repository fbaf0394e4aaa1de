"""Images and galleries go with their resource group, and are listed with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build_rows import build_row
from vmwright.arm.ids import ResourceId, parse
from vmwright.arm.providers.compute import ComputeContents
from vmwright.arm.service import Service
from vmwright.artifacts import Artifact
from vmwright.artifacts.facts import ImageFacts
from vmwright.errors import VmwrightError
from vmwright.events import Events
from vmwright.images import GalleryId, Images, NewVersion
from vmwright.images.galleries import default_identifier
from vmwright.state.database import Database
from vmwright.state.resources import Ledger
from vmwright.template.model import Generation, OsType

FACTS = ImageFacts(
    os_type=OsType.LINUX, os_name="Debian 12", generation=Generation.V1, size_bytes=(4 << 30) + 1
)
WEB = ResourceId("s1", "Web")
ALIKE = ResourceId("s1", "Web2")


@pytest.fixture
def contents(service: Service) -> ComputeContents:
    return ComputeContents(service)


async def adopted(images: Images, folder: Path) -> Artifact:
    (folder / "new").write_text("a disk")
    return await images.artifacts.adopt(folder / "new", "qcow2")


async def put_image(service: Service, group: ResourceId, folder: Path) -> None:
    service.images.managed.put(
        f"{group}/providers/Microsoft.Compute/images/golden",
        location="westus",
        artifact=await adopted(service.images, folder),
        facts=FACTS,
        tags={"a": "b"},
        writing=service.database.session,
    )


def define(service: Service, group: ResourceId) -> GalleryId:
    definition = GalleryId(subscription="s1", resource_group=group.group, gallery="gal", definition="Web")
    service.images.galleries.create_gallery(definition, location="westus")
    service.images.galleries.create_definition(
        definition,
        location="westus",
        os_type=FACTS.os_type,
        generation=FACTS.generation,
        identifier=default_identifier(definition),
    )
    return definition


def begun(database: Database) -> str:
    row = build_row()
    with database.session() as session:
        session.add(row)
    return row.id


async def add_version(service: Service, definition: GalleryId, folder: Path) -> None:
    new = NewVersion(
        id=definition.of_version("1.0.0"),
        artifact=await adopted(service.images, folder),
        facts=FACTS,
        api_version="2022-07-01",
        source_version="12.9.3",
        build_id=begun(service.database),
        run_output="out",
        tags={},
    )
    database = service.database
    await service.images.versions.add(new, writing=database.session, ledger=Ledger(database), events=Events())


async def test_what_a_group_has_of_images_is_listed_and_goes_and_its_neighbours_stay(
    service: Service, contents: ComputeContents, tmp_path: Path
) -> None:
    for group in (WEB, ALIKE):
        await put_image(service, group, tmp_path)
        await add_version(service, define(service, group), tmp_path)
    listed = await contents.resources("S1", "web")
    assert [(one.type, one.name) for one in listed] == [
        ("Microsoft.Compute/images", "golden"),
        ("Microsoft.Compute/galleries", "gal"),
    ]
    assert {parse(one.id).key for one in listed} == {
        f"{WEB.key}/providers/microsoft.compute/{path}" for path in ("images/golden", "galleries/gal")
    }
    for _ in range(2):
        await contents.remove_all(WEB)
    assert await contents.resources("s1", "web") == []
    assert len(await contents.resources("s1", None)) == len(await contents.resources("s1", "web2")) == 2
    (version,) = service.images.versions.list()
    assert version.id.resource_group == "Web2"


async def test_a_definition_into_which_a_build_writes_stays(
    service: Service, contents: ComputeContents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_version(service, define(service, WEB), tmp_path)
    monkeypatch.setattr(service.images.artifacts, "build_on", lambda _digest: "7")
    with pytest.raises(VmwrightError, match="The build 7 stands on"):
        await contents.remove_all(WEB)
    assert len(service.images.versions.list()) == 1
