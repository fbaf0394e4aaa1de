"""``vmwright images`` over a library that has everything in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.build_rows import build_row
from tests.vmwright_command import Vmwright
from vmwright.artifacts import ArtifactStore, RegionStores
from vmwright.artifacts.facts import ImageFacts
from vmwright.events import Events
from vmwright.images import GalleryLibrary, ImageLibrary, NewVersion, VersionLibrary, ids
from vmwright.images.galleries import default_identifier
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.template.model import Generation, OsType, TargetRegion

GROUP = "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.Compute"
DEFINITION = f"{GROUP}/galleries/gal/images/web"
FACTS = ImageFacts(os_type=OsType.LINUX, os_name="Debian 12", generation=Generation.V2, size_bytes=4 << 30)


async def fill(home: Path) -> None:
    """Put a managed image and two versions of a definition into a home."""
    settings = Settings(home=home)
    database = open_database(Settings(home=home))
    artifacts = ArtifactStore(home, database)
    galleries = GalleryLibrary(database)
    versions = VersionLibrary(database, artifacts, RegionStores(settings))
    definition = ids.parse(DEFINITION)
    (home / "disk").write_bytes(b"a disk")
    artifact = await artifacts.adopt(home / "disk", "qcow2")
    ImageLibrary(database, artifacts).put(
        f"{GROUP}/images/base",
        location="westus",
        artifact=artifact,
        facts=FACTS,
        tags={},
        writing=database.session,
    )
    galleries.create_gallery(definition, location="westus")
    galleries.create_definition(
        definition,
        location="westus",
        os_type=FACTS.os_type,
        generation=FACTS.generation,
        identifier=default_identifier(definition),
    )
    row = build_row()
    with database.session() as session:
        session.add(row)
    new = NewVersion(
        id=definition,
        artifact=artifact,
        facts=FACTS,
        api_version="2022-07-01",
        source_version="",
        build_id=row.id,
        run_output="out",
        tags={},
        regions=(TargetRegion(name="East US"),),
    )
    for _ in range(2):
        await versions.add(new, writing=database.session, ledger=Ledger(database), events=Events())
    database.close()


@pytest.fixture
def vmwright(tmp_path: Path) -> Vmwright:
    home = tmp_path / "home"
    home.mkdir()
    asyncio.run(fill(home))
    return Vmwright(home)


def test_images_and_versions_are_in_one_list(vmwright: Vmwright) -> None:
    heading, *lines = vmwright("images").out.splitlines()
    assert heading.split() == ["KIND", "NAME", "OS", "GEN", "SIZE", "REGIONS", "CREATED", "ID"]
    assert [line.split()[:2] for line in lines] == [
        ["SharedImage", "gal/web/1.0.1"],
        ["SharedImage", "gal/web/1.0.0"],
        ["ManagedImage", "base"],
    ]
    assert "eastus,westus" in lines[0]
    assert [(one["id"], one["type"]) for one in vmwright.json("images")] == [
        (f"{DEFINITION}/versions/1.0.1", "Microsoft.Compute/galleries/images/versions"),
        (f"{DEFINITION}/versions/1.0.0", "Microsoft.Compute/galleries/images/versions"),
        (f"{GROUP}/images/base", "Microsoft.Compute/images"),
    ]


def test_everything_can_be_removed_from_below(vmwright: Vmwright) -> None:
    for refused, said in (
        ("gal/web", "is not empty: it has 1.0.0, 1.0.1"),
        ("gal/web/latest", "the newest is 1.0.1"),
        ("other", "There is no image other"),
    ):
        done = vmwright("images", "rm", refused)
        assert (done.code, said in done.err) == (1, True), done.err
    for identity in (
        f"{DEFINITION}/versions/1.0.0",
        "GAL/web/1.0.1",
        "gal/web",
        f"{GROUP}/galleries/gal",
        "base",
    ):
        done = vmwright("images", "rm", identity)
        assert (done.code, done.out.startswith("removed /subscriptions/s1/")) == (0, True), done.err
    assert vmwright.json("images") == []
    assert not [path for path in vmwright.home.rglob("*.qcow2") if path.is_file()]


def test_boot_says_what_versions_there_are(vmwright: Vmwright) -> None:
    done = vmwright("boot", "gal/web/9.9.9")
    assert done.code == 2
    assert "neither a disk file nor an image" in done.err
    assert "hint: it has 1.0.1, 1.0.0" in done.err
