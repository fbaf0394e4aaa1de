"""A worker that sleeps while it distributes, and wakes up when others have its build; what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.building import by, opened_attempt
from tests.component.builds.conftest import Bench, shell
from tests.component.builds.test_gallery_builds import managed_image, shared_image
from tests.queueing import row_of, worker
from tests.scripted import Recorder, ScriptedMachine
from vmwright.builds.build import BuildResult
from vmwright.disks import conversion
from vmwright.errors import DistributeError, LostBuildError, ProcessError
from vmwright.events import Distributed, Events, Outcome
from vmwright.images import VersionLibrary, open_images
from vmwright.runs.queue import claim
from vmwright.runs.submission import submit
from vmwright.state.tables import ArtifactRow, ReplicaRow, ResourceRow, VersionRow
from vmwright.template.model import Distributor, Vhd

VHD = Vhd(path="d[0]", run_output_name="out")


@pytest.fixture
def when_converted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Path], None]], None]:
    """Has something happen whenever an image has been converted."""

    def interleave(happens: Callable[[Path], None]) -> None:
        convert = conversion.convert

        async def after_that(source: Path, destination: Path, **named: Any) -> None:
            await convert(source, destination, **named)
            happens(destination)

        monkeypatch.setattr(conversion, "convert", after_that)

    return interleave


def taken_over(bench: Bench, build_id: str) -> None:
    with bench.database.session() as session:
        session.merge(row_of(bench.database, build_id)).executor = None
    assert claim(bench.database, build_id, worker(bench.database)) is not None


async def build(bench: Bench, build_id: str) -> BuildResult:
    opened = opened_attempt(
        build_id, settings=bench.settings, database=bench.database, events=Events(*bench.readers)
    )
    async with opened as (attempt, engine):
        return await attempt.run(partial(by, engine))


def queued(bench: Bench, *distribute: Distributor) -> str:
    return submit(bench.request(distribute=distribute), bench.database)


async def test_the_image_of_a_newer_build_is_not_overwritten(
    bench: Bench, recorder: Recorder, when_converted: Callable[[Callable[[Path], None]], None]
) -> None:
    first = await bench.build(distribute=(managed_image(),))
    assert first.outcome is Outcome.SUCCEEDED
    library = open_images(bench.settings, bench.database).managed
    newer = library.get(managed_image().image_id)
    build_id = queued(bench, managed_image())
    when_converted(lambda _: taken_over(bench, build_id))
    result = await build(bench, build_id)
    assert isinstance(result.error, LostBuildError)
    assert library.get(managed_image().image_id) == newer
    assert not [event for event in recorder.of(Distributed) if event.error], "no failure of the distributor"


async def test_no_version_is_begun(
    bench: Bench, when_converted: Callable[[Callable[[Path], None]], None]
) -> None:
    build_id = queued(bench, shared_image("eastus"))
    when_converted(lambda _: taken_over(bench, build_id))
    result = await build(bench, build_id)
    assert isinstance(result.error, LostBuildError)
    assert bench.rows(VersionRow) + bench.rows(ReplicaRow) + bench.rows(ResourceRow) == []
    assert not list((bench.settings.home / "regions").rglob("*.qcow2"))


@pytest.mark.parametrize("replicas", [0, 2])
async def test_no_version_is_finished(bench: Bench, monkeypatch: pytest.MonkeyPatch, replicas: int) -> None:
    build_id = queued(bench, shared_image("eastus"))
    method = "_finish" if replicas else "_making"
    original = getattr(VersionLibrary, method)

    def after_that(self: VersionLibrary, *given: Any) -> object:
        monkeypatch.setattr(VersionLibrary, method, original)
        assert len(list((bench.settings.home / "regions").rglob("1.0.0.qcow2"))) == replicas
        taken_over(bench, build_id)
        return original(self, *given)

    monkeypatch.setattr(VersionLibrary, method, after_that)
    result = await build(bench, build_id)
    assert isinstance(result.error, LostBuildError)
    assert bench.rows(VersionRow) + bench.rows(ReplicaRow) + bench.rows(ResourceRow) == []
    assert not list((bench.settings.home / "regions").rglob("*.qcow2"))


async def test_the_file_of_a_newer_attempt_is_not_replaced(
    bench: Bench, when_converted: Callable[[Callable[[Path], None]], None]
) -> None:
    build_id = queued(bench, VHD)

    def others_write_it(_: Path) -> None:
        taken_over(bench, build_id)
        (bench.out / "out.vhd").write_text("theirs")

    when_converted(others_write_it)
    result = await build(bench, build_id)
    assert isinstance(result.error, LostBuildError)
    assert (bench.out / "out.vhd").read_text() == "theirs"
    assert [path.name for path in bench.out.iterdir()] == ["out.vhd"]


async def test_bytes_that_another_attempt_may_be_about_to_use_stay(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, when_converted: Callable[[Callable[[Path], None]], None]
) -> None:
    build_id = queued(bench, managed_image())
    when_converted(lambda _: taken_over(bench, build_id))
    assert isinstance((await build(bench, build_id)).error, LostBuildError)
    (row,) = bench.rows(ArtifactRow)
    assert open_images(bench.settings, bench.database).artifacts.get(row.digest)


async def test_an_image_is_converted_in_a_claimed_file_of_its_attempt(
    bench: Bench, machine: ScriptedMachine, when_converted: Callable[[Callable[[Path], None]], None]
) -> None:
    converted: list[Path] = []

    def full(part: Path) -> None:
        if part.suffix != ".qcow2":
            return  # the file for the user
        assert str(part) in {row.identity for row in bench.rows(ResourceRow)}
        converted.append(part)
        if len(converted) == 1:
            raise ProcessError("No space left on device")

    when_converted(full)
    failed = await bench.build(shell(1), distribute=(managed_image(),))
    assert isinstance(failed.error, DistributeError)
    assert bench.only_layers_are_left()
    result = await bench.redistribute(failed.id)
    assert result.outcome is Outcome.SUCCEEDED
    builds = bench.settings.home / "builds" / failed.id
    assert [part.parent for part in converted] == [builds / "1", builds / "2"]
    assert not any(part.exists() for part in converted)
    assert bench.nothing_is_left()
