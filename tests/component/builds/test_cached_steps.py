"""Builds that take steps of earlier ones from the cache, and leave theirs to later ones."""

from __future__ import annotations

import dataclasses
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.component.builds.conftest import SCRIPT, Bench, Cached, long_ago, shell
from tests.component.builds.test_resuming import Scripts
from tests.scripted import Recorder, ScriptedMachine
from vmwright.artifacts.sums import data_digest
from vmwright.builds import step_cache
from vmwright.builds.step_cache import Links, StepCache
from vmwright.caching.pruning import layers, prune
from vmwright.caching.secret import secret_of
from vmwright.events import Notice, Outcome, StepCached
from vmwright.guests.transport import Ended
from vmwright.settings import CacheSettings
from vmwright.state.cache_tables import CachedLayerRow
from vmwright.state.tables import LayerRow, StepRow
from vmwright.template.model import File, Generation

STEPS = (shell(1, "one"), shell(2, "two"), shell(3, "three"))


def taken(recorder: Recorder) -> list[int]:
    """Return which steps were taken since the last time."""
    found = [event.number for event in recorder.of(StepCached)]
    recorder.seen.clear()
    return found


def damage(row: CachedLayerRow) -> None:
    """Change the last byte of a layer; the time of its last write is what it was."""
    path = Path(row.path)
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def damaged_by_its_disk(bench: Bench, row: CachedLayerRow, *, hours: int) -> None:
    """Change a layer so that its file system does not know, which was read some hours ago."""
    damage(row)
    with bench.database.session() as session:
        changed = session.get_one(CachedLayerRow, row.id)
        changed.ctime_ns = Path(row.path).stat().st_ctime_ns
        changed.checked_at -= timedelta(hours=hours)


def files(bench: Bench) -> list[Path]:
    return bench.files("layers/*/*")


async def test_what_has_not_changed_is_not_run_again(
    bench: Bench, cached: Cached, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine)
    first = await cached(*STEPS)
    assert (first.outcome, taken(recorder)) == (Outcome.SUCCEEDED, [])
    made = (bench.out / "out.vhd").read_bytes()
    machine.told.clear()
    second = await cached(*STEPS)
    assert (second.outcome, second.error) == (Outcome.SUCCEEDED, None)
    assert scripts.run == ["one", "two", "three"]
    assert machine.told == []
    assert taken(recorder) == [1, 2, 3, 4]
    assert (bench.out / "out.vhd").read_bytes() == made
    run = bench.run(second.id)
    assert (run.machine, [one["build"] for one in run.from_cache]) == ("container", [first.id] * 4)
    steps = [(row.number, row.state) for row in bench.rows(StepRow) if row.build_id == second.id]
    assert steps == [(number, "Succeeded") for number in (1, 2, 3)]
    assert "from the cache, made" in second.log.read_text()
    assert not bench.rows(LayerRow)
    assert len(bench.files("layers/*/*.qcow2")) == len(bench.rows(CachedLayerRow)) == 4


async def test_from_the_first_step_that_differs_all_are_run(
    cached: Cached, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine)
    await cached(*STEPS)
    taken(recorder)
    machine.told.clear()
    await cached(STEPS[0], shell(2, "other"), STEPS[2])
    assert taken(recorder) == [1]
    assert machine.told[0] == "start 001.qcow2"
    assert scripts.run == ["one", "two", "three", "other", "three"]
    await cached(*STEPS)
    assert taken(recorder) == [1, 2, 3, 4]


async def test_a_build_that_fails_leaves_the_steps_that_it_has_done(
    cached: Cached, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine, 3)
    assert (await cached(*STEPS)).outcome is Outcome.FAILED
    assert (await cached(*STEPS)).outcome is Outcome.SUCCEEDED
    assert taken(recorder) == [1, 2]
    assert scripts.run == ["one", "two", "three", "three"]


@pytest.mark.parametrize(
    ("changed", "value"),
    [("cpus", 4), ("memory_mib", 4096), ("generation", Generation.V2), ("user", "other")],
)
async def test_another_machine_takes_nothing(
    cached: Cached, recorder: Recorder, where: dict[str, Any], changed: str, value: object
) -> None:
    await cached(*STEPS)
    where[changed] = value
    await cached(*STEPS)
    assert taken(recorder) == []


async def test_what_does_not_reach_the_guest_changes_nothing(cached: Cached, recorder: Recorder) -> None:
    await cached(*STEPS)
    renamed = tuple(dataclasses.replace(step, name=f"now {step.name}", path="elsewhere") for step in STEPS)
    await cached(*renamed, name="another")
    assert taken(recorder) == [1, 2, 3, 4]


async def test_the_bytes_of_a_file_count_and_where_it_goes(
    cached: Cached, recorder: Recorder, tmp_path: Path
) -> None:
    page = tmp_path / "page"
    page.write_text("one")
    step = File(name="page", path="p", source_uri=page.as_uri(), destination="/tmp/page")
    await cached(step, STEPS[1])
    await cached(step, STEPS[1])
    assert taken(recorder) == [1, 2, 3]
    await cached(dataclasses.replace(step, destination="/tmp/other"), STEPS[1])
    assert taken(recorder) == []
    page.write_text("two")
    await cached(step, STEPS[1])
    assert taken(recorder) == []


async def test_a_damaged_layer_is_noticed_and_made_anew(
    bench: Bench, cached: Cached, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine)
    await cached(*STEPS)
    (row,) = [row for row in bench.rows(CachedLayerRow) if row.step == 2]
    damage(row)
    result = await cached(*STEPS)
    assert result.outcome is Outcome.SUCCEEDED
    assert [event.message for event in recorder.of(Notice) if "is damaged" in event.message]
    assert taken(recorder) == [1]
    assert scripts.run == ["one", "two", "three", "two", "three"]
    assert not Path(row.path).exists()
    await cached(*STEPS)
    assert taken(recorder) == [1, 2, 3, 4]


async def test_the_layers_of_finished_files_are_read_where_something_is_made_of_them(
    bench: Bench, cached: Cached, recorder: Recorder
) -> None:
    await cached(*STEPS)
    made = (bench.out / "out.vhd").read_bytes()
    (row,) = [row for row in bench.rows(CachedLayerRow) if row.step == 2]
    damaged_by_its_disk(bench, row, hours=25)
    await cached(*STEPS)
    assert taken(recorder) == [1, 2, 3, 4]
    assert (bench.out / "out.vhd").read_bytes() == made
    await cached(*STEPS, formats=("raw",))
    assert [event.message for event in recorder.of(Notice) if "is damaged" in event.message]
    assert taken(recorder) == [1]


async def test_a_layer_that_nobody_has_changed_is_read_once_a_day(
    bench: Bench, cached: Cached, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    async def counted(path: Path) -> str:
        read.append(path)
        return await data_digest(path)

    await cached(*STEPS)
    monkeypatch.setattr(step_cache, "data_digest", counted)
    other = (*STEPS[:2], shell(3, "other"))
    rows = {row.step: row for row in bench.rows(CachedLayerRow)}
    await cached(*other, refresh_from=3)
    assert not {Path(rows[1].path), Path(rows[2].path)} & set(read)
    long_ago(bench, CachedLayerRow)
    await cached(*other, refresh_from=3)
    await cached(*other, refresh_from=3)
    assert [read.count(Path(rows[step].path)) for step in (1, 2)] == [1, 1]
    assert taken(recorder) == [1, 2] * 3


async def test_a_layer_that_is_changed_after_it_was_read_is_read_again(
    bench: Bench, cached: Cached, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def and_then_changed(path: Path) -> str:
        digest = await data_digest(path)
        path.write_bytes(path.read_bytes()[:-1] + b"\1")
        return digest

    with monkeypatch.context() as patch:
        patch.setattr(step_cache, "data_digest", and_then_changed)
        await cached(*STEPS)
    await cached(*STEPS, formats=("raw",))
    assert [event.message for event in recorder.of(Notice) if "is damaged" in event.message]
    assert taken(recorder) == []


async def test_a_layer_that_is_gone_is_made_anew(bench: Bench, cached: Cached, recorder: Recorder) -> None:
    await cached(*STEPS)
    for row in bench.rows(CachedLayerRow):
        if row.step == 1:
            Path(row.path).unlink()
    assert (await cached(*STEPS)).outcome is Outcome.SUCCEEDED
    assert taken(recorder) == []


@pytest.mark.parametrize("used", [1460, 0])
async def test_a_step_that_used_the_network_is_taken_for_a_day(
    bench: Bench, cached: Cached, machine: ScriptedMachine, recorder: Recorder, used: int
) -> None:
    def fetches(_: object) -> Ended:
        machine.received = (machine.received or 0) + used
        return Ended(0)

    machine.transport.answers[SCRIPT] = fetches
    await cached(*STEPS)
    await cached(*STEPS)
    assert taken(recorder) == [1, 2, 3, 4]
    with bench.database.session() as session:
        day_before = bench.database.now(session) - timedelta(hours=25)
        session.execute(update(CachedLayerRow).values(made_at=day_before))
    await cached(*STEPS)
    assert taken(recorder) == ([] if used else [1, 2, 3, 4])


async def test_where_it_is_not_known_every_script_counts_as_one_that_did(
    bench: Bench, cached: Cached, machine: ScriptedMachine, tmp_path: Path
) -> None:
    machine.received = None
    (tmp_path / "page").write_text("one")
    page = File(name="page", path="p", source_uri=(tmp_path / "page").as_uri(), destination="/tmp/page")
    await cached(page, STEPS[1])
    assert [(row.step, row.network_used) for row in bench.rows(CachedLayerRow)] == [
        (1, False),
        (2, True),
        (3, False),
    ]


async def test_a_step_is_refreshed_with_those_after_it(
    cached: Cached, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine)
    first = await cached(*STEPS)
    second = await cached(*STEPS, refresh_from=2)
    assert taken(recorder) == [1]
    assert scripts.run == ["one", "two", "three", "two", "three"]
    await cached(*STEPS)
    builds = [event.build for event in recorder.of(StepCached)]
    assert builds == [first.id, second.id, second.id, second.id]


async def test_without_the_cache_nothing_is_taken_or_kept(
    bench: Bench, cached: Cached, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine)
    await cached(*STEPS)
    kept = {row.id for row in bench.rows(CachedLayerRow)}
    await cached(*STEPS, uses_cache=False)
    assert taken(recorder) == []
    assert len(scripts.run) == 6
    assert {row.id for row in bench.rows(CachedLayerRow)} == kept
    bench.settings = bench.settings.model_copy(update={"cache": CacheSettings(max_size_gib=0)})
    await cached(*STEPS)
    assert taken(recorder) == []
    assert bench.rows(CachedLayerRow) == files(bench) == []


async def test_what_is_done_again_is_not_taken(
    bench: Bench, cached: Cached, machine: ScriptedMachine, recorder: Recorder
) -> None:
    scripts = Scripts(machine, 3)
    failed = await cached(*STEPS)
    await bench.resume(failed.id, from_step=1)
    assert taken(recorder) == []
    assert scripts.run == ["one", "two", "three", "one", "two", "three"]
    await cached(*STEPS)
    assert {event.build for event in recorder.of(StepCached)} == {failed.id}


async def test_what_was_taken_longest_ago_goes_first_and_no_layer_before_those_on_it(
    bench: Bench, cached: Cached, recorder: Recorder
) -> None:
    await cached(STEPS[0], STEPS[1])
    await cached(STEPS[0], STEPS[2])
    size = sum(entry.size_bytes for entry in layers(bench.database))
    prune(bench.database, bench.settings, most_bytes=size - 1)
    assert sorted(row.step for row in bench.rows(CachedLayerRow)) == [1, 2, 2, 3]
    taken(recorder)
    await cached(STEPS[0], STEPS[2])
    assert taken(recorder) == [1, 2, 3]
    prune(bench.database, bench.settings, most_bytes=0)
    assert not layers(bench.database)
    assert not files(bench)


async def test_what_a_build_can_go_on_from_stays(
    bench: Bench, cached: Cached, machine: ScriptedMachine
) -> None:
    Scripts(machine, 3)
    failed = await cached(*STEPS)
    prune(bench.database, bench.settings, most_bytes=0)
    assert [entry.in_use for entry in layers(bench.database)] == [True, True]
    assert (await bench.resume(failed.id)).outcome is Outcome.SUCCEEDED
    prune(bench.database, bench.settings, most_bytes=0)
    assert not layers(bench.database)
    assert not files(bench)


async def test_nobody_else_reads_the_secret_of_the_keys(bench: Bench) -> None:
    secret = secret_of(bench.settings.home)
    assert secret_of(bench.settings.home) == secret
    assert len(secret) == 32
    assert (bench.settings.home / "cache.key").stat().st_mode & 0o777 == 0o600


async def test_what_is_given_up_at_this_moment_is_not_taken_nor_what_stands_on_it(
    cached: Cached, machine: ScriptedMachine, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = Scripts(machine)
    await cached(*STEPS)
    whole = StepCache._whole

    async def and_then_gone(cache: StepCache, found: list[Links]) -> list[Links]:
        checked = await whole(cache, found)
        checked[1][0].path.unlink()
        return checked

    monkeypatch.setattr(StepCache, "_whole", and_then_gone)
    result = await cached(*STEPS, formats=("raw",))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert taken(recorder) == [1]
    assert scripts.run == ["one", "two", "three", "two", "three"]
