"""The log of a build that goes from host to host, in the store that they share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.building import open_build
from tests.component.builds.conftest import template
from tests.queueing import worker
from vmwright.artifacts import ArtifactStore
from vmwright.builds import sharing
from vmwright.builds.build import Build
from vmwright.builds.endings import Ending
from vmwright.builds.log import FILE_NAME
from vmwright.errors import LostBuildError
from vmwright.events import Events
from vmwright.runs import logs
from vmwright.runs.logs import read_log
from vmwright.runs.queue import claim, release
from vmwright.runs.records import BuildRecords
from vmwright.runs.request import BuildRequest
from vmwright.settings import Settings, StoreSettings
from vmwright.state.database import Database

Interleaved = Callable[[str, Callable[[], Awaitable[None]]], None]


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "shared").mkdir()
    return settings.model_copy(update={"store": StoreSettings(url=(tmp_path / "shared").as_uri())})


@pytest.fixture
def first(settings: Settings, database: Database, events: Events) -> Build:
    request = BuildRequest(template=template(), name="test")
    return begun(open_build(request, settings=settings, database=database, events=events))


def begun(build: Build) -> Build:
    build.records.log(FILE_NAME, build.root / FILE_NAME)
    return build


async def taken_over(build: Build, root: Path) -> Build:
    """Give the build to another executor, whose home is another folder."""
    release(build.database, build.claim)
    taken = claim(build.database, build.id, worker(build.database))
    assert taken is not None
    root.mkdir()
    records = BuildRecords(build.database, taken)
    other = replace(build, claim=taken, records=records, root=root, folder=root / str(taken.attempt))
    await sharing.bring_logs(other)
    return begun(other)


def write(build: Build, *lines: str) -> None:
    with (build.root / FILE_NAME).open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def stored(tmp_path: Path) -> list[str]:
    return [path.read_text() for path in (tmp_path / "shared").rglob(FILE_NAME)]


@pytest.fixture
def seen(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Reads a build's log as a third host does."""

    async def read(build: Build) -> str | None:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(logs, "host_id", lambda: "a third host")
            data = await read_log(build.id, FILE_NAME, settings, database)
        return None if data is None else data.decode()

    return read


@pytest.fixture
def before_next(monkeypatch: pytest.MonkeyPatch) -> Interleaved:
    """Has something happen once, before the store does what it is asked for next."""

    def interleave(method: str, happens: Callable[[], Awaitable[None]]) -> None:
        original = getattr(ArtifactStore, method)

        async def after_that(self: ArtifactStore, *given: object) -> object:
            monkeypatch.setattr(ArtifactStore, method, original)
            await happens()
            return await original(self, *given)

        monkeypatch.setattr(ArtifactStore, method, after_that)

    return interleave


@pytest.fixture
def other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is brought is of another host, though all of it is this one."""
    monkeypatch.setattr(sharing, "host_id", lambda: "another host")


async def test_a_log_goes_on_on_another_host_and_one_copy_of_it_is_stored(
    first: Build, seen: Callable[[Build], Awaitable[str]], other_host: None, tmp_path: Path
) -> None:
    write(first, "one")
    await sharing.share_logs(first)
    second = await taken_over(first, tmp_path / "second")
    assert await seen(second) == "one\n", "until the second attempt has stored its own"
    write(second, "two")
    for _ in range(2):
        await sharing.share_logs(second)
        assert await seen(second) == "one\ntwo\n"
    assert stored(tmp_path) == ["one\ntwo\n"]


@pytest.mark.parametrize("stopped", ["before it looks whose build it is", "while it writes"])
async def test_a_worker_that_slept_does_not_overwrite_the_log_of_who_took_its_build(
    first: Build,
    seen: Callable[[Build], Awaitable[str]],
    other_host: None,
    before_next: Interleaved,
    tmp_path: Path,
    stopped: str,
) -> None:
    write(first, "one")
    await sharing.share_logs(first)
    write(first, "never seen")

    async def others_go_on() -> None:
        second = await taken_over(first, tmp_path / "second")
        write(second, "two")
        await sharing.share_logs(second)

    if stopped == "while it writes":
        before_next("put_bytes", others_go_on)
    else:
        await others_go_on()
    with pytest.raises(LostBuildError):
        await sharing.share_logs(first)
    assert await seen(first) == "one\ntwo\n"
    if stopped != "while it writes":
        assert stored(tmp_path) == ["one\ntwo\n"]


async def test_an_attempt_that_ends_when_others_have_its_build_stores_no_log(
    first: Build, tmp_path: Path, other_host: None
) -> None:
    write(first, "one")
    await taken_over(first, tmp_path / "second")
    ending = Ending(first, (), None, log=first.root / FILE_NAME)
    assert isinstance(await ending.record(seconds=1), LostBuildError)
    assert stored(tmp_path) == []


async def test_who_reads_a_log_while_it_goes_to_a_new_place_gets_it_from_there(
    first: Build,
    seen: Callable[[Build], Awaitable[str]],
    other_host: None,
    before_next: Interleaved,
    tmp_path: Path,
) -> None:
    write(first, "one")
    await sharing.share_logs(first)
    second = await taken_over(first, tmp_path / "second")

    async def stored_anew() -> None:
        write(second, "two")
        await sharing.share_logs(second)

    before_next("get_bytes", stored_anew)
    assert await seen(first) == "one\ntwo\n"
