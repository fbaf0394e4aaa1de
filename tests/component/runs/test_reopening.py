"""Builds that are begun and resumed from several processes at once, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from tests.queueing import ALL, change_executor, command, end, row_of, worker
from vmwright.errors import VmwrightError
from vmwright.runs import listing
from vmwright.runs.executors import living
from vmwright.runs.listing import end_interrupted
from vmwright.runs.queue import Claim, claim, claim_next
from vmwright.runs.reopening import resume
from vmwright.runs.request import BuildRequest
from vmwright.runs.submission import begin, submit
from vmwright.settings import Settings
from vmwright.state import engines
from vmwright.state.database import Database, open_database
from vmwright.state.tables import BuildRow
from vmwright.template.model import PlatformImage, Template, Vhd

AT_ONCE = 4
IDENTITY = (
    "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
)


def request(name: str = "web") -> BuildRequest:
    template = Template(
        api_version="2022-07-01",
        location="westus2",
        source=PlatformImage(publisher="a", offer="b", sku="c", version="latest"),
        identities=(IDENTITY,),
        distribute=(Vhd(path="properties.distribute[0]", run_output_name="out"),),
    )
    return BuildRequest(template=template, name=name)


def failed(database: Database) -> str:
    """Return a build that ended and of which nothing is kept."""
    held = begin(request(), database, command(database))
    end(database, held)
    with database.session() as session:
        session.get_one(BuildRow, held.build_id).run_state = "Failed"
    return held.build_id


def test_of_several_that_begin_or_resume_builds_of_a_template_one_does(
    settings: Settings, database: Database
) -> None:
    builds = [failed(database) for _ in range(AT_ONCE - 1)]
    start = threading.Barrier(AT_ONCE)

    def one(build: str | None) -> Claim | None:
        mine = open_database(settings)
        try:
            executor = command(mine)
            start.wait()
            return resume(mine, build, executor) if build else begin(request(), mine, executor)
        except VmwrightError as error:
            assert "The template web is being built already" in error.message  # noqa: PT017
            return None
        finally:
            mine.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        taken = [held for held in pool.map(one, [*builds, None]) if held is not None]
    with database.session() as session:
        running = session.scalars(select(BuildRow.id).where(BuildRow.ended_at.is_(None))).all()
    assert [held.build_id for held in taken] == running
    assert len(running) == 1


def test_a_build_that_may_not_begin_leaves_nothing(database: Database) -> None:
    waits = submit(request(), database)
    assert claim_next(database, worker(database), ALL)
    with pytest.raises(VmwrightError, match=f"is being built already: build {waits}"):
        begin(request("WEB"), database, command(database))
    with database.session() as session:
        assert session.scalars(select(BuildRow.id)).all() == [waits]


def test_a_build_that_is_begun_here_was_never_without_its_process(database: Database) -> None:
    held = begin(request(), database, command(database))
    end_interrupted(database)
    row = row_of(database, held.build_id)
    assert (row.executor, row.attempt, row.ended_at, row.queued) == (held.executor_id, 1, None, False)


def test_an_interrupted_build_is_ended_or_resumed_not_both(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lists builds; in the middle of it another resumes what the first is about to end."""
    one, two, three = command(database), command(database), command(database)
    held = begin(request(), database, one)
    change_executor(database, one.id, started="another")
    living(database)
    monkeypatch.setattr(engines, "BUSY_SECONDS", 1)
    beside = open_database(settings)
    resumed: list[Claim] = []

    def hint(*_: Any) -> None:
        with pytest.raises(VmwrightError, match="lock"):
            resumed.append(resume(beside, held.build_id, two))

    monkeypatch.setattr(listing, "hint_to_go_on", hint)
    end_interrupted(database)
    assert not resumed
    row = row_of(database, held.build_id)
    assert (row.executor, row.run_state, row.ended_at is None) == (None, "Failed", False)
    assert resume(beside, held.build_id, two).attempt == 2
    with pytest.raises(VmwrightError, match="is running"):
        resume(database, held.build_id, three)
    assert claim(database, held.build_id, three) is None
    beside.close()
