"""Versions that are changed, with their regions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.component.images.conftest import AddVersion
from vmwright.artifacts import ArtifactStore, RegionStores
from vmwright.errors import DistributeError, VmwrightError
from vmwright.events import Events
from vmwright.images import ids
from vmwright.images.records import VersionRecord
from vmwright.images.replication import Replication, VersionChange
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.resources import Ledger
from vmwright.template.model import TargetRegion

Change = Callable[..., Coroutine[Any, Any, VersionRecord]]


@pytest.fixture
def change(settings: Settings, database: Database, artifacts: ArtifactStore) -> Change:
    """Brings a version into regions."""
    replication = Replication(database, artifacts, RegionStores(settings))

    async def change_one(version: ids.GalleryId, *regions: str, replicas: int = 1) -> VersionRecord:
        wanted = tuple(TargetRegion(name=region, replica_count=replicas) for region in regions)
        return await replication.change(
            version,
            VersionChange(tags={"x": "y"}, exclude_from_latest=True, regions=wanted),
            ledger=Ledger(database),
            events=Events(),
        )

    return change_one


def there(version: VersionRecord) -> list[Path]:
    return [replica.path for replica in version.replicas if replica.path.exists()]


async def test_regions_come_and_go_and_its_own_stays(add: AddVersion, change: Change) -> None:
    made = await add("1.0.0")
    changed = await change(made.id, "North Europe", "eastus", replicas=2)
    assert [(one.region, one.regional_replica_count) for one in changed.replicas] == [
        ("westus", 1),
        ("northeurope", 2),
        ("eastus", 2),
    ]
    assert len(there(changed)) == 3
    assert (changed.tags, changed.exclude_from_latest) == ({"x": "y"}, True)
    assert changed.created_at == made.created_at
    alone = await change(made.id)
    assert (alone.regions, len(there(changed))) == (("westus",), 1)


async def test_a_change_that_was_broken_off_is_whole_when_it_is_done_again(
    add: AddVersion, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await add("1.0.0")

    async def broken_off(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(RegionStores, "place", broken_off)
    with pytest.raises(asyncio.CancelledError):
        await change(made.id, "northeurope")
    monkeypatch.undo()
    again = await change(made.id, "northeurope")
    assert again.regions == ("westus", "northeurope")
    assert len(there(again)) == 2


async def test_a_region_that_has_no_room_leaves_nothing(
    add: AddVersion, change: Change, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await add("1.0.0")
    place = RegionStores.place

    async def full(stores: RegionStores, *given: Any, region: str, **named: Any) -> object:
        if region == "northeurope":
            raise DistributeError("no room")
        return await place(stores, *given, region=region, **named)

    monkeypatch.setattr(RegionStores, "place", full)
    with pytest.raises(DistributeError, match="no room"):
        await change(made.id, "centralus", "northeurope")
    assert len(list((settings.home / "regions").rglob("*.qcow2"))) == 1
    after = await change(made.id, "westus")
    assert after.regions == ("westus",)


async def test_a_version_that_is_not_there_is_not_changed(add: AddVersion, change: Change) -> None:
    made = await add("1.0.0")
    with pytest.raises(VmwrightError, match=r"no version 2\.0\.0"):
        await change(made.id.of_version("2.0.0"), "westus")
