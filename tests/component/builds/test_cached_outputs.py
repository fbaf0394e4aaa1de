"""What was made of the same disk before is given its new names, not written again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.component.builds.conftest import Bench, Cached, long_ago, shell
from tests.scripted import Recorder
from vmwright.artifacts.sums import Sums, sums_of
from vmwright.builds import made_before
from vmwright.disks import conversion
from vmwright.events import Notice, Outcome
from vmwright.images import open_images
from vmwright.state.cache_tables import CachedOutputRow
from vmwright.template.model import ManagedImage, Vhd

IMAGE = "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.Compute/images/web"
STEP = shell(1, "one")


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What disks were written as, by their endings."""
    convert, written = conversion.convert, []

    async def counted(source: Path, destination: Path, **how: object) -> None:
        written.append(destination.suffix)
        await convert(source, destination, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(conversion, "convert", counted)
    return written


def said(recorder: Recorder, words: str) -> int:
    return sum(words in event.message for event in recorder.of(Notice))


async def test_the_same_files_are_given_their_names_again(
    bench: Bench, cached: Cached, recorder: Recorder, converted: list[str]
) -> None:
    await cached(STEP, formats=("qcow2", "raw"))
    assert sorted(converted) == [".qcow2", ".raw", ".vhd"]
    names = ["SHA256SUMS", "out.vhd", "out.vhd.sums", "test.qcow2", "test.raw", "test.raw.sums"]
    files = [bench.out / name for name in names]
    before = [file.read_bytes() for file in files]
    assert sorted(path.name for path in bench.out.iterdir()) == sorted(names)
    converted.clear()
    recorder.seen.clear()
    result = await cached(STEP, formats=("qcow2", "raw"))
    assert (result.outcome, converted) == (Outcome.SUCCEEDED, [])
    assert sorted(path.name for path in bench.out.iterdir()) == sorted(names)
    assert [file.read_bytes() for file in files] == before
    is_linked = (bench.out / "out.vhd").stat().st_nlink > 1
    assert said(recorder, "copy one before changing it") == is_linked
    assert bool((bench.out / "out.vhd").stat().st_mode & 0o200) is not is_linked


def kept_vhd(bench: Bench) -> CachedOutputRow:
    (row,) = [row for row in bench.rows(CachedOutputRow) if row.form == "vhd"]
    assert isinstance(row, CachedOutputRow)
    return row


def change(bench: Bench, before: bytes, *, keeps_time: bool = False) -> None:
    """Change the file in the cache, whose bytes are known, and its time, too, unless that is kept."""
    row = kept_vhd(bench)
    kept = Path(row.path or "")
    kept.chmod(0o644)
    kept.write_bytes(b"changed" + before[7:])
    if keeps_time:
        os.utime(kept, ns=(row.mtime_ns or 0, row.mtime_ns or 0))


async def test_a_file_that_was_changed_is_noticed_and_made_anew(
    bench: Bench, cached: Cached, recorder: Recorder, converted: list[str]
) -> None:
    await cached(STEP)
    before = (bench.out / "out.vhd").read_bytes()
    change(bench, before)
    await cached(STEP)
    assert said(recorder, "vhd in the cache is damaged, changed or gone") == 1
    assert len(converted) == 2
    assert (bench.out / "out.vhd").read_bytes()[:-512] == before[:-512]
    await cached(STEP)
    assert len(converted) == 2


async def test_a_file_is_known_by_its_data_where_its_time_tells_nothing(
    bench: Bench, cached: Cached, converted: list[str]
) -> None:
    await cached(STEP)
    before = (bench.out / "out.vhd").read_bytes()
    change(bench, before, keeps_time=True)
    long_ago(bench, CachedOutputRow)
    await cached(STEP)
    assert len(converted) == 2
    assert (bench.out / "out.vhd").read_bytes()[:7] == before[:7]


async def test_a_file_that_nobody_has_changed_is_read_once_a_day(
    bench: Bench, cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    async def counted(path: Path) -> Sums:
        read.append(path)
        return await sums_of(path)

    monkeypatch.setattr(made_before, "sums_of", counted)
    await cached(STEP)
    beside = (bench.out / "out.vhd.sums").read_bytes()
    await cached(STEP)
    assert read == []
    assert (bench.out / "out.vhd.sums").read_bytes() == beside
    long_ago(bench, CachedOutputRow)
    await cached(STEP)
    await cached(STEP)
    assert list(map(str, read)) == [kept_vhd(bench).path]


async def test_sums_that_are_not_those_of_the_file_are_made_anew(
    bench: Bench, cached: Cached, converted: list[str]
) -> None:
    await cached(STEP)
    beside = (bench.out / "out.vhd.sums").read_bytes()
    (row,) = [row for row in bench.rows(CachedOutputRow) if row.form == "vhd.sums"]
    Path(row.path).write_bytes(beside.replace(b"  0  ", b"  1  "))
    await cached(STEP)
    assert (bench.out / "out.vhd.sums").read_bytes() == beside
    assert len(converted) == 1


async def test_sums_that_nobody_has_made_yet_are_made(
    bench: Bench, cached: Cached, converted: list[str]
) -> None:
    await cached(STEP)
    await cached(STEP, sums=True)
    assert " out.vhd\n" in (bench.out / "SHA256SUMS").read_text()
    assert len(converted) == 2
    await cached(STEP, sums=True)
    assert " out.vhd\n" in (bench.out / "SHA256SUMS").read_text()
    assert len(converted) == 2


async def test_images_are_made_of_the_artifact_that_is_there(
    bench: Bench, cached: Cached, converted: list[str]
) -> None:
    distribute = (
        Vhd(path="d[0]", run_output_name="out"),
        ManagedImage(path="d[1]", run_output_name="image", image_id=IMAGE, location="westus2"),
    )
    await cached(STEP, distribute=distribute)
    library = open_images(bench.settings, bench.database).managed
    (first,) = library.list()
    converted.clear()
    result = await cached(STEP, distribute=distribute)
    assert (result.outcome, converted) == (Outcome.SUCCEEDED, [])
    (second,) = library.list()
    assert (second.digest, second.build_id) == (first.digest, result.id)
    assert library.get(IMAGE) == second
    library.remove(IMAGE)
    await cached(STEP, distribute=distribute)
    assert converted == [".qcow2"]


async def test_files_go_with_the_layer_that_they_are_of(bench: Bench, cached: Cached) -> None:
    await cached(STEP)
    await cached(STEP, refresh_from=1)
    assert {str(path) for path in bench.files("layers/*/*.vhd*")} == {
        row.path for row in bench.rows(CachedOutputRow)
    }
    assert [str(path) for path in bench.files("layers/*/*.vhd")] == [kept_vhd(bench).path]
