"""A build whose machine is scripted and whose disks, database and log are real."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.building import open_build, run_build, runner
from tests.scripted import Recorder, ScriptedMachine
from vmwright.artifacts.facts import ImageFacts
from vmwright.builds import ground, inputs, validating, workshop
from vmwright.builds.build import Build, BuildResult
from vmwright.disks.qemu_img import DiskFormat
from vmwright.events import Events, Reader
from vmwright.machines.machine import MachineKind, MachineSpec
from vmwright.process import run
from vmwright.runs.executors import Executor
from vmwright.runs.listing import RunRecord, find_run
from vmwright.runs.queue import Claim, claim
from vmwright.runs.reopening import redistribute, resume
from vmwright.runs.request import BuildRequest
from vmwright.settings import Settings
from vmwright.sources.base_disk import BaseDisk
from vmwright.state.database import Database
from vmwright.state.tables import InputRow, LayerRow, ResourceRow
from vmwright.template.model import (
    Customizer,
    Distributor,
    Generation,
    OsType,
    PlatformImage,
    Shell,
    Template,
    Vhd,
)

IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
SCRIPT = r"PACKER_.* /tmp/script_\d{4}\.sh <"
MakeBuild = Callable[..., Build]
Cached = Callable[..., Awaitable[BuildResult]]


@pytest.fixture
async def base(tmp_path: Path) -> BaseDisk:
    disk = tmp_path / "base.qcow2"
    # of clusters that no image has which is made of it: those are other artifacts
    await run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=32k", disk, "4M"], timeout=20)
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
    *customize: Customizer, minutes: int = 0, distribute: tuple[Distributor, ...] | None = None
) -> Template:
    return Template(
        api_version="2022-07-01",
        location="westus2",
        source=PlatformImage(publisher="a", offer="b", sku="c", version="latest"),
        customize=customize,
        identities=(IDENTITY,),
        distribute=distribute or (Vhd(path="properties.distribute[0]", run_output_name="out"),),
        build_timeout_in_minutes=minutes,
    )


class Bench:
    """Builds whose machine is scripted; ``events`` are those of the first, ``readers`` follow all of them."""

    def __init__(
        self, settings: Settings, database: Database, events: Events, out: Path, *readers: Reader
    ) -> None:
        self.settings, self.database, self.events, self.out = settings, database, events, out
        self.readers = list(readers)

    def request(
        self,
        *customize: Customizer,
        distribute: tuple[Distributor, ...] | None = None,
        formats: tuple[str, ...] = (),
    ) -> BuildRequest:
        return BuildRequest(
            template=template(*customize, distribute=distribute), name="test", out=self.out, formats=formats
        )

    async def build(
        self,
        *customize: Customizer,
        distribute: tuple[Distributor, ...] | None = None,
        formats: tuple[str, ...] = (),
    ) -> BuildResult:
        request = self.request(*customize, distribute=distribute, formats=formats)
        return await run_build(request, settings=self.settings, database=self.database, events=self.events)

    async def resume(self, build_id: str, **how: Any) -> BuildResult:
        return await self._go_on(lambda by: resume(self.database, build_id, by, **how))

    async def redistribute(self, build_id: str) -> BuildResult:
        return await self._go_on(lambda by: redistribute(self.database, build_id, by))

    async def take_over(self, build_id: str) -> BuildResult:
        return await self._go_on(lambda by: claim(self.database, build_id, by))

    async def _go_on(self, take: Callable[[Executor], Claim | None]) -> BuildResult:
        async with runner(self.settings, self.database) as opened:
            taken = take(opened.executor)
            assert taken is not None
            return await opened.run(taken, Events(*self.readers))

    def run(self, build_id: str) -> RunRecord:
        return find_run(self.database, build_id)

    def rows(self, table: type[Any]) -> list[Any]:
        with self.database.session() as session:
            return list(session.query(table).all())

    def nothing_is_left(self) -> bool:
        """Tell whether only logs are left, as after a build that nobody will go on with."""
        files = self.files("builds/*/*/layers/*", "layers/*/*", "builds/*/*/fetched/*")
        return not (self.rows(ResourceRow) or self.rows(LayerRow) or files)

    def only_layers_are_left(self) -> bool:
        """Tell whether just what it takes to go on with the build is left."""
        recorded = {row.path for row in self.rows(LayerRow)} | {row.path for row in self.rows(InputRow)}
        files = self.files("builds/*/*/layers/*", "layers/*/*", "builds/*/*/fetched/*")
        return not self.rows(ResourceRow) and {str(path) for path in files} == recorded

    def files(self, *patterns: str) -> list[Path]:
        return [path for pattern in patterns for path in self.settings.home.glob(pattern)]


@pytest.fixture
def bench(
    settings: Settings,
    database: Database,
    events: Events,
    recorder: Recorder,
    tmp_path: Path,
    machine: ScriptedMachine,
) -> Bench:
    (tmp_path / "out").mkdir()
    return Bench(settings, database, events, tmp_path / "out", recorder)


@pytest.fixture
def make_build(settings: Settings, database: Database, events: Events) -> MakeBuild:
    def make(*customize: Customizer) -> Build:
        request = BuildRequest(template=template(*customize), name="test")
        return open_build(request, settings=settings, database=database, events=events)

    return make


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, base: BaseDisk) -> ScriptedMachine:
    """The machine of the next builds, and the source they find."""
    machine = ScriptedMachine()

    async def machine_for(_build: Build, _base: BaseDisk, *, role: str = "") -> ScriptedMachine:
        machine.told += [f"made{role}"] if role else []
        return machine

    async def resolve(*_: object, **__: object) -> BaseDisk:
        return base

    for room in (workshop, validating):
        monkeypatch.setattr(room, "machine_for", machine_for)
    monkeypatch.setattr(inputs, "resolve", resolve)
    return machine


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, base: BaseDisk, tmp_path: Path) -> dict[str, Any]:
    """What the builds' machine is: to be changed by a test."""
    spec: dict[str, Any] = {
        "name": "test",
        "folder": tmp_path,
        "cpus": 2,
        "memory_mib": 2048,
        "generation": Generation.V1,
    }

    async def planned(_build: Build, _base: BaseDisk) -> tuple[MachineKind, MachineSpec]:
        return MachineKind.CONTAINER, MachineSpec(**spec)

    async def versions(_kind: MachineKind) -> tuple[str, ...]:
        return ("systemd 252",)

    monkeypatch.setattr(ground, "planned", planned)
    monkeypatch.setattr(ground, "versions", versions)
    return spec


@pytest.fixture
def cached(bench: Bench, where: dict[str, Any]) -> Cached:
    """Builds with the cache."""

    async def build(*customize: Customizer, **asked: Any) -> BuildResult:
        request = bench.request(*customize, distribute=asked.pop("distribute", None))
        request = dataclasses.replace(request, **{"uses_cache": True, **asked})
        events = Events(*bench.readers)
        return await run_build(request, settings=bench.settings, database=bench.database, events=events)

    return build


def long_ago(bench: Bench, table: type[Any]) -> None:
    """Let it be a day ago that the files of the cache were read last."""
    with bench.database.session() as session:
        for row in bench.rows(table):
            session.get_one(table, row.id).checked_at -= timedelta(days=1)
