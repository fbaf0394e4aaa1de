"""Images that builds distributed, as the sources of later ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.build_rows import build_row
from vmwright.artifacts import Artifact, ArtifactStore, open_shared_store
from vmwright.artifacts.facts import ImageFacts
from vmwright.errors import SourceError, VmwrightError
from vmwright.events import Event, Level, Notice, Progress
from vmwright.images import GalleryLibrary, NewVersion, ids
from vmwright.images.galleries import default_identifier
from vmwright.images.records import VersionRecord
from vmwright.settings import StoreSettings
from vmwright.sources.base_disk import BaseDisk
from vmwright.sources.context import SourceContext
from vmwright.sources.resolve import resolve
from vmwright.state.database import Database
from vmwright.template.model import (
    Generation,
    ManagedImageSource,
    OsType,
    PlanInfo,
    SharedImageVersion,
    TargetRegion,
)

GROUP = "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.Compute"
DEFINITION = f"{GROUP}/galleries/gal/images/web"
IMAGE = f"{GROUP}/images/web"
PLAN = PlanInfo(plan_name="n", plan_product="p", plan_publisher="q")
FACTS = ImageFacts(os_type=OsType.LINUX, os_name="Debian 12", generation=Generation.V2, size_bytes=1 << 30)

MakeVersion = Callable[[str], Awaitable[VersionRecord]]


@pytest.fixture
async def artifact(context: SourceContext, tmp_path: Path) -> Artifact:
    (tmp_path / "disk").write_bytes(b"a disk" * 1000)
    return await context.artifacts.adopt(tmp_path / "disk", "qcow2")


@pytest.fixture
def make_version(context: SourceContext, artifact: Artifact, database: Database) -> MakeVersion:
    """Makes a version in westus and eastus, in a gallery of westus."""
    galleries = GalleryLibrary(database)
    definition = ids.parse(DEFINITION)
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

    async def make(number: str) -> VersionRecord:
        new = NewVersion(
            id=definition.of_version(number),
            artifact=artifact,
            facts=FACTS,
            api_version="2022-07-01",
            source_version="",
            build_id=row.id,
            run_output="out",
            tags={},
            regions=(TargetRegion(name="East US"),),
            plan=PLAN,
        )
        return await context.versions.add(
            new, writing=database.session, ledger=context.ledger, events=context.events
        )

    return make


def source(context: SourceContext, version: str, location: str = "westus") -> Awaitable[BaseDisk]:
    asked = SharedImageVersion(image_version_id=f"{DEFINITION}/versions/{version}")
    return resolve(asked, context, location=location)


def warnings(said: list[Event]) -> list[str]:
    return [event.message for event in said if isinstance(event, Notice) and event.level is Level.WARNING]


async def test_a_version_is_read_from_the_templates_region(
    context: SourceContext, make_version: MakeVersion, said: list[Event]
) -> None:
    made = await make_version("1.0.0")
    for location, region in (("West US", "westus"), ("eastus", "eastus")):
        disk = await source(context, "1.0.0", location)
        replica = made.replica_in(region)
        assert replica is not None
        assert disk.path == replica.path
    assert (disk.facts, disk.exact_version, disk.plan) == (FACTS, "1.0.0", PLAN)
    assert disk.digest in disk.record
    assert disk.builder_source == f"SharedImageVersion {DEFINITION}/versions/1.0.0"
    assert warnings(said) == []


async def test_latest_is_resolved_and_recorded(context: SourceContext, make_version: MakeVersion) -> None:
    await make_version("1.2.0")
    await make_version("1.10.0")
    disk = await source(context, "latest")
    assert (disk.exact_version, f"{DEFINITION}/versions/1.10.0" in disk.record) == ("1.10.0", True)
    assert disk.builder_source == f"SharedImageVersion {DEFINITION}/versions/latest (1.10.0)"


async def test_a_region_without_a_replica_is_named_with_those_that_have_one(
    context: SourceContext, make_version: MakeVersion
) -> None:
    await make_version("1.0.0")
    with pytest.raises(
        SourceError, match=r"BadSharedImageVersionSource.*not replicated to westeurope"
    ) as caught:
        await source(context, "latest", "westeurope")
    assert "eastus, westus" in caught.value.message


async def test_a_version_that_is_not_there_is_said_in_the_services_words(
    context: SourceContext, make_version: MakeVersion
) -> None:
    await make_version("1.0.0")
    with pytest.raises(SourceError) as caught:
        await source(context, "1.0.1")
    assert caught.value.message.startswith(
        f"Build (Shared Image Version) step failed for Image Version '{DEFINITION}/versions/1.0.1': "
        "Error getting Image Version"
    )
    assert (caught.value.hint, caught.value.target) == ("it has 1.0.0", "properties.source.imageVersionId")
    wrong = SharedImageVersion(image_version_id=f"{DEFINITION}s/versions/1.0.0")
    with pytest.raises(SourceError) as caught:
        await resolve(wrong, context, location="westus")
    assert caught.value.hint == f"did you mean {DEFINITION}?"


async def test_a_replica_that_is_gone_is_replaced_by_the_librarys_file_with_a_warning(
    context: SourceContext, make_version: MakeVersion, artifact: Artifact, said: list[Event]
) -> None:
    made = await make_version("1.0.0")
    made.replicas[0].path.unlink()
    disk = await source(context, "1.0.0", "eastus")
    assert disk.path == artifact.path
    assert ["eastus is gone" in warning for warning in warnings(said)] == [True]


async def test_a_replica_with_other_bytes_is_not_used(
    context: SourceContext, make_version: MakeVersion, artifact: Artifact, said: list[Event]
) -> None:
    made = await make_version("1.0.0")
    path = made.replicas[0].path
    path.unlink()
    path.write_bytes(b"a dusk" * 1000)
    disk = await source(context, "1.0.0", "eastus")
    assert disk.path == artifact.path
    assert ["not what was distributed" in warning for warning in warnings(said)] == [True]


async def test_on_another_host_the_artifact_comes_from_the_shared_store(
    context: SourceContext,
    make_version: MakeVersion,
    artifact: Artifact,
    said: list[Event],
    tmp_path: Path,
    database: Database,
) -> None:
    (tmp_path / "shared").mkdir()
    store = StoreSettings(url=(tmp_path / "shared").as_uri())
    shared = open_shared_store(context.settings.model_copy(update={"store": store}), database)
    made = await make_version("1.0.0")
    # the first use shares what is older than the store
    await ArtifactStore(context.settings.home, database, shared).fetch(artifact.digest)
    for replica in made.replicas:
        replica.path.rename(replica.path.with_name("on another host"))
    there = replace(context, artifacts=ArtifactStore(tmp_path / "two", database, shared))
    disk = await source(there, "1.0.0")
    assert disk.path.read_bytes() == artifact.path.read_bytes()
    assert disk.path.is_relative_to(tmp_path / "two")
    assert warnings(said) == []
    notes = [event.message for event in said if isinstance(event, Notice)]
    assert any("westus is not on this host" in note for note in notes)
    assert any(isinstance(event, Progress) and event.done == event.total for event in said)


async def test_without_any_whole_file_it_is_an_error(
    context: SourceContext, make_version: MakeVersion, artifact: Artifact
) -> None:
    made = await make_version("1.0.0")
    for path in (artifact.path, *(replica.path for replica in made.replicas)):
        path.unlink()
    with pytest.raises(VmwrightError, match="is gone"):
        await source(context, "1.0.0")


async def test_a_managed_image_must_be_in_the_templates_region(
    context: SourceContext, database: Database, artifact: Artifact, said: list[Event]
) -> None:
    context.images.put(
        IMAGE, location="West US 2", artifact=artifact, facts=FACTS, tags={}, writing=database.session
    )
    disk = await resolve(ManagedImageSource(image_id=IMAGE), context, location="westus2")
    assert disk.path == artifact.path
    assert [IMAGE in event.message for event in said if isinstance(event, Notice)] == [True]
    with pytest.raises(
        SourceError, match=r"BadManagedImageSource.*is in West US 2, the template in eastus"
    ) as caught:
        await resolve(ManagedImageSource(image_id=IMAGE), context, location="eastus")
    assert "location" in str(caught.value.hint)
