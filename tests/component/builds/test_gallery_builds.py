"""Builds that go into galleries and come from them: the machine is scripted, disks and library are real."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.building import run_build
from tests.component.builds.conftest import IDENTITY
from tests.scripted import Recorder, ScriptedMachine
from vmwright.artifacts import ArtifactStore, RegionStores
from vmwright.builds import inputs
from vmwright.builds.build import BuildResult
from vmwright.builds.preflight import check_request
from vmwright.disks import conversion, qemu_img
from vmwright.errors import BuildCanceledError, DistributeError, SourceError, UnsupportedError
from vmwright.events import Events, Notice, Outcome, Reader
from vmwright.images import GalleryLibrary, ImageLibrary, VersionLibrary, ids
from vmwright.images.galleries import default_identifier
from vmwright.runs.listing import end_interrupted, find_run
from vmwright.runs.request import BuildRequest
from vmwright.runs.states import RunState
from vmwright.settings import MachineChoice, Settings
from vmwright.sources.base_disk import BaseDisk
from vmwright.sources.resolve import resolve
from vmwright.state.database import Database
from vmwright.state.tables import ArtifactRow, BuildRow, ReplicaRow, ResourceRow, VersionRow
from vmwright.template.model import (
    Distributor,
    Generation,
    ManagedImage,
    ManagedImageSource,
    PlanInfo,
    PlatformImage,
    SharedImage,
    SharedImageVersion,
    Source,
    TargetRegion,
    Template,
    Versioning,
    VersioningScheme,
    VmProfile,
)
from vmwright.workers.reaper import reap

DEBIAN = PlatformImage(publisher="Debian", offer="debian-12", sku="12", version="latest")
GROUP = "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.Compute"
DEFINITION = f"{GROUP}/galleries/gal/images/web"
PLATFORM = PlatformImage(publisher="a", offer="b", sku="c", version="latest")


def shared_image(*regions: str, name: str = "shared", version: str = "", **fields: Any) -> SharedImage:
    return SharedImage(
        path="properties.distribute[0]",
        run_output_name=name,
        gallery_image_id=f"{DEFINITION}{version and f'/versions/{version}'}",
        target_regions=tuple(TargetRegion(name=region) for region in regions),
        artifact_tags={"team": "web"},
        **fields,
    )


def managed_image(name: str = "managed") -> ManagedImage:
    return ManagedImage(
        path="properties.distribute[1]",
        run_output_name=name,
        image_id=f"{GROUP}/images/web",
        location="westus2",
    )


class Bench:
    def __init__(self, settings: Settings, database: Database, *readers: Reader) -> None:
        self.settings, self.database, self.readers = settings, database, list(readers)
        self.artifacts = ArtifactStore(settings.home, database)
        self.galleries = GalleryLibrary(database)
        self.versions = VersionLibrary(database, self.artifacts, RegionStores(settings))
        self.managed = ImageLibrary(database, self.artifacts)

    def request(
        self, *distribute: Distributor, source: Source = PLATFORM, makes_galleries: bool = True
    ) -> BuildRequest:
        template = Template(
            api_version="2022-07-01",
            location="westus2",
            identities=(IDENTITY,),
            source=source,
            distribute=distribute,
        )
        return BuildRequest(
            template=template,
            name="test",
            machine=MachineChoice.CONTAINER,
            makes_galleries=makes_galleries,
        )

    async def build(self, *distribute: Distributor, **asked: Any) -> BuildResult:
        return await self.run(self.request(*distribute, **asked))

    async def run(self, request: BuildRequest) -> BuildResult:
        events = Events(*self.readers)
        return await run_build(request, settings=self.settings, database=self.database, events=events)

    def rows(self, *tables: type[Any]) -> list[Any]:
        with self.database.session() as session:
            return [row for table in tables for row in session.query(table).all()]

    def files(self, *names: str) -> list[Path]:
        return [path for name in names for path in (self.settings.home / name).rglob("*") if path.is_file()]


@pytest.fixture
def bench(settings: Settings, database: Database, recorder: Recorder, machine: ScriptedMachine) -> Bench:
    return Bench(settings, database, recorder)


def notes(recorder: Recorder, beginning: str) -> list[str]:
    return [event.message for event in recorder.of(Notice) if event.message.startswith(beginning)]


async def test_a_build_makes_the_gallery_that_is_missing_and_a_version_in_it(
    bench: Bench, recorder: Recorder
) -> None:
    result = await bench.build(shared_image("East US", exclude_from_latest=True))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    (made,) = bench.versions.list()
    assert [output.artifact_id for output in result.outputs] == [f"{DEFINITION}/versions/1.0.0"]
    assert (str(made.id), made.regions, made.location) == (
        f"{DEFINITION}/versions/1.0.0",
        ("eastus", "westus2"),
        "westus2",
    )
    assert dict(made.tags) == {
        "team": "web",
        "correlationId": result.id,
        "VMImageBuilderSource": "PlatformImage a::b::c::1.0.0",
    }
    assert made.exclude_from_latest
    assert len(notes(recorder, "There is no ")) == 2
    assert len(notes(recorder, "Replicated to ")) == 2
    assert not bench.rows(ResourceRow)

    await bench.build(shared_image())
    assert len(notes(recorder, "There is no ")) == 2
    assert bench.versions.get("gal/web").id.version == "1.0.1"


@pytest.mark.parametrize(("disk_gb", "size"), [(0, 4 << 20), (1, 1 << 30)])
@pytest.mark.parametrize("generation", Generation)
async def test_every_distributor_has_the_sources_generation_and_the_size_asked_for(
    bench: Bench,
    base: BaseDisk,
    monkeypatch: pytest.MonkeyPatch,
    generation: Generation,
    disk_gb: int,
    size: int,
) -> None:
    async def of_generation(*_: object, **__: object) -> BaseDisk:
        return replace(base, facts=replace(base.facts, generation=generation))

    monkeypatch.setattr(inputs, "resolve", of_generation)
    request = bench.request(managed_image(), shared_image())
    profile = VmProfile(os_disk_size_gb=disk_gb)
    result = await bench.run(replace(request, template=replace(request.template, vm_profile=profile)))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    (version,), (image,) = bench.versions.list(), bench.managed.list()
    definition = bench.galleries.get_definition(version.id)
    assert {one.generation for one in (version.facts, image.facts, definition)} == {generation}
    assert version.facts.size_bytes == image.facts.size_bytes == size
    disk = await qemu_img.info(bench.artifacts.get(image.digest).path)
    assert disk.virtual_size == size


async def test_an_image_is_converted_once_for_all_its_distributors(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []
    convert = conversion.convert

    async def counted(source: Path, destination: Path, **named: Any) -> None:
        converted.append(destination)
        await convert(source, destination, **named)

    monkeypatch.setattr(conversion, "convert", counted)
    result = await bench.build(managed_image(), shared_image(), shared_image(name="again"))
    assert result.outcome is Outcome.SUCCEEDED
    assert len(converted) == 1
    digests = {one.digest for one in bench.managed.list()} | {one.digest for one in bench.versions.list()}
    assert [row.digest for row in bench.rows(ArtifactRow)] == list(digests)
    assert [one.id.version for one in bench.versions.list()] == ["1.0.1", "1.0.0"]


async def test_a_chain_from_gallery_to_gallery_by_latest(
    bench: Bench, base: BaseDisk, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = PlanInfo(plan_name="n", plan_product="p", plan_publisher="q")

    async def with_plan(*_: object, **__: object) -> BaseDisk:
        return replace(base, plan=plan)

    monkeypatch.setattr(inputs, "resolve", with_plan)
    await bench.build(shared_image())
    monkeypatch.setattr(inputs, "resolve", resolve)
    latest = SharedImageVersion(image_version_id=f"{DEFINITION}/versions/latest")
    source_number = Versioning(scheme=VersioningScheme.SOURCE)
    result = await bench.build(shared_image(versioning=source_number), source=latest)
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    newer, older = bench.versions.list()
    assert (older.id.version, newer.id.version) == ("1.0.0", "1.0.1")
    assert newer.tags["VMImageBuilderSource"] == (f"SharedImageVersion {DEFINITION}/versions/latest (1.0.0)")
    assert newer.plan == older.plan == plan
    definition = bench.galleries.get_definition(newer.id)
    assert definition.plan == plan
    assert f"{DEFINITION}/versions/1.0.0" in str(find_run(bench.database, result.id).source)


async def test_one_region_that_fails_leaves_the_other_distributors(bench: Bench, recorder: Recorder) -> None:
    store = bench.settings.home / "regions" / "eastus"
    store.parent.mkdir(parents=True)
    store.write_text("no folder")
    result = await bench.build(shared_image("westus2", "eastus"), managed_image())
    assert isinstance(result.error, DistributeError)
    assert (result.outcome, result.error.exit_code) == (Outcome.PARTIALLY_SUCCEEDED, 1)
    assert "Failed in distributing 1 images out of total 2: shared (SharedImage)" in result.error.message
    assert "region eastus" in result.error.message
    run = find_run(bench.database, result.id)
    assert run.run_state is RunState.PARTIALLY_SUCCEEDED
    assert [(one.name, bool(one.error)) for one in run.outputs] == [("shared", True), ("managed", False)]
    assert bench.managed.list()
    assert bench.rows(VersionRow, ReplicaRow, ResourceRow) == []
    assert bench.files("regions") == [store]


async def test_a_distribution_that_fails_altogether_leaves_no_bytes(bench: Bench) -> None:
    (bench.settings.home / "regions").write_text("no folder")
    result = await bench.build(shared_image())
    assert result.outcome is Outcome.FAILED
    assert bench.rows(VersionRow, ReplicaRow, ArtifactRow, ResourceRow) == []
    assert bench.files("artifacts") == []


async def test_a_cancel_between_two_regions_leaves_nothing(bench: Bench) -> None:
    task: asyncio.Task[BuildResult]

    def cancel(event: object) -> None:
        if isinstance(event, Notice) and event.message.startswith("Replicated to eastus"):
            task.cancel()

    bench.readers.append(cancel)
    task = asyncio.ensure_future(bench.build(shared_image("eastus")))
    result = await task
    assert isinstance(result.error, BuildCanceledError)
    assert bench.rows(VersionRow, ReplicaRow, ArtifactRow, ResourceRow) == []
    assert bench.files("artifacts", "regions") == []


async def test_a_definition_for_other_images_is_said_before_a_machine_starts(
    bench: Bench, base: BaseDisk, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.build(shared_image())
    definition = ids.parse(f"{GROUP}/galleries/gal/images/uefi")
    bench.galleries.create_definition(
        definition,
        location="westus2",
        os_type=base.facts.os_type,
        generation=Generation.V2,
        identifier=default_identifier(definition),
    )
    monkeypatch.setattr(inputs, "resolve", resolve)
    machine.told.clear()
    latest = SharedImageVersion(image_version_id=f"{DEFINITION}/versions/latest")
    unfit = SharedImage(
        path="properties.distribute[0]", run_output_name="o", gallery_image_id=str(definition)
    )
    result = await bench.build(unfit, source=latest)
    assert isinstance(result.error, DistributeError)
    assert "hyperVGeneration: V2 there, V1 here" in result.error.message
    assert (result.error.target, machine.told) == ("properties.distribute[0]", [])


async def test_a_number_that_the_source_cannot_give_is_said_before_a_machine_starts(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.build(managed_image())
    monkeypatch.setattr(inputs, "resolve", resolve)
    machine.told.clear()
    source_number = Versioning(scheme=VersioningScheme.SOURCE)
    image = ManagedImageSource(image_id=managed_image().image_id)
    result = await bench.build(shared_image(versioning=source_number), source=image)
    assert isinstance(result.error, DistributeError)
    assert "needs a source that has a version" in result.error.message
    assert (result.error.target, machine.told) == ("properties.distribute[0]", [])


async def test_what_a_killed_build_has_left_of_a_version_is_removed_by_the_next_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise DistributeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(VersionLibrary, "_finish", never)
        killed.setattr(VersionLibrary, "_discard", lambda *_: None)
        result = await bench.build(shared_image("eastus"))
    assert len(bench.files("regions")) == len(bench.rows(ReplicaRow)) == 2
    with bench.database.session() as session:
        row = session.get_one(BuildRow, result.id)
        row.ended_at, row.executor = None, None
    end_interrupted(bench.database)
    await reap(bench.database, Events(), settings=bench.settings)
    assert bench.rows(VersionRow, ReplicaRow, ArtifactRow) == []
    assert bench.files("artifacts", "regions") == []


async def test_a_template_elsewhere_is_told_where_its_source_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.build(shared_image())
    (made,) = bench.versions.list()
    monkeypatch.setattr(inputs, "resolve", resolve)
    request = bench.request(managed_image(), source=SharedImageVersion(image_version_id=str(made.id)))
    elsewhere = replace(request.template, location="uksouth")
    result = await bench.run(replace(request, template=elsewhere))
    assert isinstance(result.error, SourceError)
    assert "not replicated to uksouth" in result.error.message


async def test_what_can_be_refused_is_refused_before_anything_starts(bench: Bench) -> None:
    async def refusal(*distribute: Distributor, **asked: Any) -> UnsupportedError:
        request = bench.request(*distribute, **{"source": DEBIAN, **asked})
        with pytest.raises(UnsupportedError) as caught:
            await check_request(request, bench.settings, bench.database)
        return caught.value

    misspelt = PlatformImage(publisher="Debian", offer="debian-12", sku="12x", version="latest")
    assert "did you mean Debian:debian-12:12" in ((await refusal(shared_image(), source=misspelt)).hint or "")
    await bench.build(shared_image())
    assert "exists already" in (await refusal(shared_image(version="1.0.0"))).message
    await check_request(
        bench.request(shared_image(version="1.0.1"), source=DEBIAN), bench.settings, bench.database
    )
    (bench.settings.home / "regions" / "uksouth").write_text("no folder")
    refused = await refusal(shared_image("UK South"))
    assert "region uksouth" in refused.message
    assert str(bench.settings.home / "regions" / "uksouth") in refused.message
    elsewhere = SharedImage(path="d", run_output_name="o", gallery_image_id=f"{DEFINITION}2")
    refused = await refusal(elsewhere, makes_galleries=False)
    assert refused.hint == f"did you mean {DEFINITION}?"
