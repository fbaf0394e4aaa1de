"""Versions whose number is given again while somebody still works on the one that had it before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.component.images.conftest import DEFINITION, AddVersion, begun, end
from vmwright.artifacts import RegionStores, region_stores
from vmwright.artifacts.duplicates import Placed
from vmwright.errors import DistributeError, LostBuildError
from vmwright.images import VersionLibrary
from vmwright.images.records import VersionRecord
from vmwright.state.database import Database
from vmwright.state.tables import ReplicaRow, ResourceRow, VersionRow

FIRST = DEFINITION.of_version("1.0.0")


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has something happen once, when a version has been looked up and is to be removed."""

    def interleave(happens: Callable[[], None]) -> None:
        discard = VersionLibrary._discard

        def after_that(self: VersionLibrary, version: VersionRecord) -> None:
            monkeypatch.setattr(VersionLibrary, "_discard", discard)
            happens()
            discard(self, version)

        monkeypatch.setattr(VersionLibrary, "_discard", after_that)

    return interleave


async def broken_off(add: AddVersion, monkeypatch: pytest.MonkeyPatch, build_id: str, **fields: Any) -> None:
    """Leave a version as a crash does."""
    with monkeypatch.context() as crash:
        crash.setattr(VersionLibrary, "_finish", lambda *_: None)
        crash.setattr(VersionLibrary, "_discard", lambda *_: None)
        await add(build_id=build_id, **fields)


def is_whole(versions: VersionLibrary, body: str) -> bool:
    made = versions.find(FIRST)
    return made is not None and {replica.path.read_text() for replica in made.replicas} == {body}


async def test_a_reaper_leaves_a_version_that_has_got_the_number_meanwhile(
    add: AddVersion,
    versions: VersionLibrary,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[Callable[[], None]], None],
) -> None:
    crashed = begun(database)
    await broken_off(add, monkeypatch, crashed)
    end(database, crashed)

    async def made_again() -> None:
        versions.remove_unfinished()
        await add(body="the next build's")

    meanwhile(lambda: asyncio.run(made_again()))
    await asyncio.to_thread(versions.remove_unfinished)
    assert is_whole(versions, "the next build's")


async def test_a_removal_leaves_a_version_that_has_got_the_number_meanwhile(
    add: AddVersion, versions: VersionLibrary, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    await add()

    async def made_again() -> None:
        versions.remove_unfinished()
        await add(body="the next build's")

    meanwhile(lambda: asyncio.run(made_again()))
    await asyncio.to_thread(versions.remove, FIRST)
    assert is_whole(versions, "the next build's")


@pytest.mark.parametrize("ends_with", ["a failure", "its last step"])
async def test_who_has_lost_a_version_leaves_the_one_that_has_got_its_number(
    add: AddVersion,
    versions: VersionLibrary,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    ends_with: str,
) -> None:
    """Another attempt at the same build has removed what this one made, and is making it again."""
    build_id = begun(database)
    place = RegionStores.place

    async def slowly(self: RegionStores, *given: Any, **named: Any) -> Placed:
        monkeypatch.setattr(RegionStores, "place", place)
        how = await place(self, *given, **named)
        versions.remove_broken_off(build_id, writing=database.session)
        await broken_off(add, monkeypatch, build_id, body="theirs")
        if ends_with == "a failure":
            raise DistributeError("the disk is full")
        return how

    monkeypatch.setattr(RegionStores, "place", slowly)
    with pytest.raises(DistributeError):
        await add(build_id=build_id, body="mine")
    with database.session() as session:
        (row,) = session.scalars(select(VersionRow))
        (replica,) = session.scalars(select(ReplicaRow))
    assert (row.provisioning_state, Path(replica.path).read_text()) == ("Creating", "theirs")


async def test_no_replica_appears_of_a_version_that_others_have_removed(
    add: AddVersion,
    versions: VersionLibrary,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    build_id = begun(database)
    duplicate = region_stores._duplicate

    async def removed_after(*given: Any) -> Placed:
        how = await duplicate(*given)
        versions.remove_broken_off(build_id, writing=database.session)
        return how

    monkeypatch.setattr(region_stores, "_duplicate", removed_after)
    with pytest.raises(DistributeError, match="was removed while it was made"):
        await add(build_id=build_id)
    assert not list((tmp_path / "home" / "regions").rglob("*.qcow2"))
    monkeypatch.undo()
    assert (await add(build_id=build_id)).id.version == "1.0.0"
    with database.session() as session:
        assert session.scalars(select(ResourceRow)).all() == []


async def test_who_has_lost_a_build_removes_nothing_that_was_made_of_it(
    add: AddVersion, versions: VersionLibrary, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_id = begun(database)
    await broken_off(add, monkeypatch, build_id)

    def lost() -> AbstractContextManager[Session]:
        raise LostBuildError("others have it")

    with pytest.raises(LostBuildError):
        versions.remove_broken_off(build_id, writing=lost)
    with database.session() as session:
        (replica,) = session.scalars(select(ReplicaRow))
    assert Path(replica.path).exists()
