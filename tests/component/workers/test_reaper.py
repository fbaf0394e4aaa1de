"""What dead processes have left is removed, whoever of several reapers comes first, and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from tests.owners import dead, is_alive, owner
from vmwright import marks, process
from vmwright.events import Events, Notice
from vmwright.state.host import boot_id, host_id, started
from vmwright.state.resources import (
    Ledger,
    Owner,
    Resource,
    ResourceKind,
    abandoned,
    hand_back,
    strike_out,
    take_over,
)
from vmwright.state.tables import ResourceRow
from vmwright.workers import reaper
from vmwright.workers.reaper import clear_up, keep_reaping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmwright.events import Event
    from vmwright.settings import Settings
    from vmwright.state.database import Database

WAIT = "import sys; sys.stdin.read()"


@pytest.fixture
def late() -> Owner:
    """A process of this boot that is no more."""
    with subprocess.Popen([sys.executable, "-c", WAIT], stdin=subprocess.PIPE) as process:
        owner = Owner(process.pid, started(process.pid), boot_id())
        before = owner.is_alive
        process.communicate()
    assert (before, owner.is_alive) == (True, False)
    return owner


def left_by(
    owner: Owner, database: Database, kind: ResourceKind, identity: str | Path, *, host: str | None = None
) -> int:
    row = ResourceRow(
        kind=kind,
        identity=str(identity),
        host=host or host_id(),
        owner_pid=owner.pid,
        owner_started=owner.since,
        boot_id=owner.boot,
        created_at=datetime.now(UTC),
    )
    with database.session() as session:
        session.add(row)
        session.flush()
        return row.id


def rows(database: Database) -> list[int]:
    with database.session() as session:
        return list(session.scalars(select(ResourceRow.id).order_by(ResourceRow.id)))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def events(said: list[str]) -> Events:
    def hear(event: Event) -> None:
        if isinstance(event, Notice):
            said.append(event.message)

    return Events(hear)


@pytest.fixture
def programs(late: Owner) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    variables = {
        "of the late": {marks.OWNER_VARIABLE: late.token},
        "of ours": marks.owned(),
        "of one whose id is used again": {
            marks.OWNER_VARIABLE: marks.owner_token(os.getpid(), "1", boot_id())
        },
        "like it": {marks.OWNER_VARIABLE: f"{late.token}1"},
        "nobody's": {},
    }
    plain = {name: value for name, value in os.environ.items() if not name.startswith("VMWRIGHT_")}
    started = {
        name: subprocess.Popen([sys.executable, "-c", WAIT], stdin=subprocess.PIPE, env=plain | mark)
        for name, mark in variables.items()
    }
    yield started
    for program in started.values():
        program.kill()
        program.communicate()


async def test_files_of_the_dead_go_and_those_of_the_living_stay(
    tmp_path: Path, database: Database, events: Events, said: list[str], late: Owner
) -> None:
    names = ("folder", "file", "link", "mine", "elsewhere", "linked")
    folder, file, link, mine, elsewhere, linked = (tmp_path / name for name in names)
    for each in (folder / "deep", mine, elsewhere, linked / "deep"):
        each.mkdir(parents=True)
    file.touch()
    link.symlink_to(linked)
    for path in (folder, file, link, tmp_path / "never-made"):
        left_by(late, database, ResourceKind.PATH, path)
    kept = [
        Ledger(database).claim(ResourceKind.PATH, mine).id,
        left_by(late, database, ResourceKind.PATH, elsewhere, host="another-host"),
    ]
    await clear_up(database, events)
    assert {path.name for path in tmp_path.iterdir()} - {"home"} == {"mine", "elsewhere", "linked"}
    assert (linked / "deep").exists()
    assert rows(database) == kept
    assert said == ["Clearing up after an interrupted command: 4 resources"]


async def test_programs_of_the_dead_are_killed_and_no_others(
    database: Database,
    events: Events,
    late: Owner,
    programs: dict[str, subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    left_by(late, database, ResourceKind.PATH, tmp_path / "anything")
    await clear_up(database, events)
    assert programs["of the late"].wait(10) == -signal.SIGKILL
    assert [name for name, program in programs.items() if program.poll() is not None] == ["of the late"]
    left_by(Owner(os.getpid(), "1", boot_id()), database, ResourceKind.PATH, tmp_path / "anything")
    await clear_up(database, events)
    assert programs["of one whose id is used again"].wait(10) == -signal.SIGKILL
    assert programs["of ours"].poll() is None


async def test_only_one_of_two_reapers_takes_a_row(database: Database, late: Owner, tmp_path: Path) -> None:
    left_by(late, database, ResourceKind.PATH, tmp_path / "file")
    (seen,) = abandoned(database)
    mine = take_over(database, seen)
    assert mine
    assert mine.owner == Owner.this()
    assert take_over(database, seen) is None
    assert not strike_out(database, seen)
    assert abandoned(database) == []
    hand_back(database, mine, late)
    assert abandoned(database) == [seen]
    assert strike_out(database, seen)
    assert abandoned(database) == []


async def test_two_reapers_at_once_do_not_disturb_each_other(
    tmp_path: Path, database: Database, events: Events, said: list[str], late: Owner
) -> None:
    for number in range(30):
        (tmp_path / "left" / str(number) / "deep").mkdir(parents=True)
        left_by(late, database, ResourceKind.PATH, tmp_path / "left" / str(number))
    await asyncio.gather(*(clear_up(database, events) for _ in range(3)))
    assert rows(database) == []
    assert list((tmp_path / "left").iterdir()) == []
    assert not [line for line in said if "could not" in line]


async def test_a_reaper_that_dies_leaves_its_rows_to_the_next(
    tmp_path: Path, database: Database, events: Events, late: Owner
) -> None:
    (tmp_path / "left").mkdir()
    left_by(late, database, ResourceKind.PATH, tmp_path / "left")
    (seen,) = abandoned(database)
    taken = take_over(database, seen)
    assert taken
    await clear_up(database, events)
    assert (tmp_path / "left").exists()
    hand_back(database, taken, Owner(late.pid, "another", late.boot))
    await clear_up(database, events)
    assert not (tmp_path / "left").exists()


async def test_what_has_a_new_owner_is_left_to_it(
    tmp_path: Path, database: Database, events: Events, late: Owner
) -> None:
    (tmp_path / "again").mkdir()
    left_by(late, database, ResourceKind.PATH, tmp_path / "again")
    mine = Ledger(database).claim(ResourceKind.PATH, tmp_path / "again")
    await clear_up(database, events)
    assert (tmp_path / "again").exists()
    assert rows(database) == [mine.id]


async def test_what_cannot_be_removed_is_said_and_tried_again(
    tmp_path: Path, database: Database, events: Events, said: list[str], late: Owner, settings: Settings
) -> None:
    stays = tmp_path / "stays"
    (stays / "file").mkdir(parents=True)
    left_by(late, database, ResourceKind.PATH, stays / "file" / "below")
    (stays / "file").rmdir()
    (stays / "file").touch()  # no folder: what is below cannot be looked for
    reaping = asyncio.create_task(keep_reaping(database, events, settings=settings, every=0.05))
    async with asyncio.timeout(20):
        while len([line for line in said if "could not be removed" in line]) < 2:
            await asyncio.sleep(0.01)
        assert len(rows(database)) == 1
        (stays / "file").unlink()
        while rows(database):
            await asyncio.sleep(0.01)
    assert not reaping.done()
    reaping.cancel()
    await asyncio.wait([reaping])


async def test_of_an_earlier_boot_only_files_are_removed(
    tmp_path: Path, database: Database, events: Events, monkeypatch: pytest.MonkeyPatch, late: Owner
) -> None:
    earlier = Owner(os.getpid(), started(os.getpid()), "00000000-0000-0000-0000-000000000000")
    removed: list[str] = []
    remove = reaper.remove

    async def recorded(resource: Resource) -> None:
        removed.append(resource.kind)
        await remove(resource)

    monkeypatch.setattr(reaper, "remove", recorded)
    (tmp_path / "left").mkdir()
    running = await process.start(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        log=tmp_path / "log",
        env=marks.marked("reused"),
    )
    left_by(earlier, database, ResourceKind.PATH, tmp_path / "left")
    left_by(earlier, database, ResourceKind.PROCESS, "reused")
    for kind in (ResourceKind.MOUNT, ResourceKind.LOOP, ResourceKind.CGROUP):
        left_by(earlier, database, kind, tmp_path)
    await clear_up(database, events)
    assert removed == ["path"]
    assert rows(database) == []
    assert running.returncode is None
    await running.end()


async def test_a_killed_command_is_cleared_up_by_the_next(
    tmp_path: Path, database: Database, events: Events, settings: Settings
) -> None:
    url = settings.database.url
    where = {"VMWRIGHT_DATABASE__URL": url.get_secret_value()} if url else {}
    body = """
    os.chdir(folder)
    ledger.claim(ResourceKind.PATH, folder / "layers")
    (folder / "layers").mkdir()
    token = "a-machine-of-a-killed-command"
    ledger.claim(ResourceKind.PROCESS, token)
    argv = ["sh", "-c", "sleep 610; true"]
    machine = await process.start(argv, log=folder / "log", env=marks.marked(token))
    os.kill(keeper.pid, 9)
    say(machine=machine.pid)
    os.kill(os.getpid(), 9)
    """
    async with owner(body, tmp_path, environment=where) as one:
        made = await one.says()
        await one.process.wait()
    assert is_alive(made["machine"])
    left = [resource.kind for resource in abandoned(database)]
    assert left == [ResourceKind.PROCESS, ResourceKind.PATH]
    await clear_up(database, events)
    await dead(made["machine"])
    assert not (tmp_path / "layers").exists()
    assert rows(database) == []
