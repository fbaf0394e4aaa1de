"""A build whose machine is scripted and whose disks, database and log are real."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.scripted import Recorder, ScriptedMachine
from vmwright.artifacts.facts import ImageFacts
from vmwright.builds import inputs, pipeline, validating
from vmwright.builds.build import Build, BuildRequest
from vmwright.builds.records import BuildRecords
from vmwright.disks.qemu_img import DiskFormat
from vmwright.events import Events
from vmwright.process import run
from vmwright.settings import Settings
from vmwright.sources.base_disk import BaseDisk
from vmwright.state.database import Database, open_database
from vmwright.state.resources import Ledger
from vmwright.template.model import Customizer, Generation, OsType, PlatformImage, Shell, Template, Vhd

MakeTemplate = Callable[..., Template]
MakeBuild = Callable[..., Build]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def database(settings: Settings) -> Database:
    return open_database(settings.home)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def events(recorder: Recorder) -> Events:
    return Events(recorder)


@pytest.fixture
async def base(tmp_path: Path) -> BaseDisk:
    disk = tmp_path / "base.qcow2"
    await run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "4M"], timeout=20)
    return BaseDisk(
        path=disk,
        digest=hashlib.sha256(disk.read_bytes()).hexdigest(),
        facts=ImageFacts(
            os_type=OsType.LINUX, os_name="Scripted Linux", generation=Generation.V1, size_bytes=4 << 20
        ),
        exact_version="1.0.0",
        description="a scripted source",
        builder_source="PlatformImage a::b::c::1.0.0",
        made_at=datetime.now(UTC),
        format=DiskFormat.QCOW2,
    )


def shell(number: int, *lines: str) -> Shell:
    return Shell(name=f"step{number}", path=f"properties.customize[{number - 1}]", inline=lines or ("true",))


def template(
    *customize: Customizer, minutes: int = 0, distribute: tuple[Vhd, ...] | None = None, disk_gb: int = 0
) -> Template:
    return Template(
        api_version="2020-02-14",
        location="westus2",
        source=PlatformImage(publisher="a", offer="b", sku="c", version="latest"),
        customize=customize,
        distribute=distribute or (Vhd(path="properties.distribute[0]", run_output_name="out"),),
        build_timeout_in_minutes=minutes,
    )


@pytest.fixture
def make_build(settings: Settings, database: Database, events: Events) -> MakeBuild:
    def make(*customize: Customizer) -> Build:
        build_id = str(uuid.uuid4())
        folder = settings.home / "builds" / build_id
        folder.mkdir(parents=True)
        records = BuildRecords(database, build_id)
        records.begin(name="test", template={}, folder=folder)
        return Build(
            id=build_id,
            request=BuildRequest(template=template(*customize), name="test"),
            settings=settings,
            database=database,
            ledger=Ledger(database, build_id),
            records=records,
            events=events,
            folder=folder,
        )

    return make


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, base: BaseDisk) -> ScriptedMachine:
    """The machine of the next builds, and the source they find."""
    machine = ScriptedMachine()

    async def machine_for(_build: Build, _base: BaseDisk, *, role: str = "") -> ScriptedMachine:
        machine.told += [f"made{role}"] if role else []
        return machine

    async def find_source(_build: Build) -> BaseDisk:
        return base

    monkeypatch.setattr(pipeline, "machine_for", machine_for)
    monkeypatch.setattr(validating, "machine_for", machine_for)
    monkeypatch.setattr(inputs, "find_source", find_source)
    return machine
