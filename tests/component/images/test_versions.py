from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from tests.component.images.conftest import (
    DEFINITION,
    FACTS,
    PLAN,
    AddVersion,
    artifact_of,
    begun,
    define,
    end,
)
from vmwright.artifacts import Artifact, ArtifactStore, RegionStores
from vmwright.artifacts.duplicates import Placed
from vmwright.errors import DistributeError, VmwrightError
from vmwright.events import Events
from vmwright.images import GalleryLibrary, NewVersion, VersionLibrary, ids
from vmwright.images.ids import GalleryId
from vmwright.images.records import VersionRecord
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import BuildRow, ReplicaRow, ResourceRow, VersionRow
from vmwright.template.model import TargetRegion, Versioning, VersioningScheme

AT_ONCE = 8


def numbered(number: str) -> GalleryId:
    return DEFINITION.of_version(number)


def rows(database: Database) -> int:
    with database.session() as session:
        found = [session.scalars(select(kind)).all() for kind in (VersionRow, ReplicaRow, ResourceRow)]
    return sum(map(len, found))


async def test_a_version_goes_to_its_regions_and_home(
    add: AddVersion, tmp_path: Path, settings: Settings, versions: VersionLibrary
) -> None:
    wanted = (
        TargetRegion(name="East US", replica_count=3, storage_account_type="Standard_ZRS"),
        TargetRegion(name="eastus"),
        TargetRegion(name="Narnia North"),
    )
    made = await add(regions=wanted)
    assert (str(made.id), made.regions) == (
        f"{DEFINITION}/versions/1.0.0",
        ("eastus", "narnianorth", "westus"),
    )
    under = "s1/rg1/gal/web/1.0.0.qcow2"
    assert [replica.path for replica in made.replicas] == [
        tmp_path / "east" / under,
        settings.home / "regions" / "narnianorth" / under,
        settings.home / "regions" / "westus" / under,
    ]
    assert {replica.path.read_text() for replica in made.replicas} == {"a disk"}
    east = made.replica_in("eastus")
    assert east is not None
    assert (east.regional_replica_count, east.storage_account_type) == (3, "Standard_ZRS")
    assert versions.list() == [made]


async def test_numbers_follow_each_other(add: AddVersion) -> None:
    latest = Versioning(scheme=VersioningScheme.LATEST, major=3)
    source = Versioning(scheme=VersioningScheme.SOURCE)
    made = [
        await add(),
        await add(),
        await add(versioning=latest),
        await add(versioning=source),
        await add(versioning=source),
        await add("2.5.0"),
        await add(),
    ]
    assert [one.id.version for one in made] == [
        *("1.0.0", "1.0.1", "3.0.0", "12.9.3", "12.9.4", "2.5.0", "12.9.5"),
    ]


async def test_a_number_that_is_taken_is_refused(add: AddVersion, versions: VersionLibrary) -> None:
    versions.check_new(numbered("2.5.0"))
    await add("2.5.0")
    for number in ("2.5.0", "02.5.00"):
        with pytest.raises(DistributeError, match="exists already"):
            versions.check_new(numbered(number))
        with pytest.raises(DistributeError, match="exists already"):
            await add(number)
    with pytest.raises(DistributeError, match="invalid"):
        versions.check_new(numbered("2.5"))


async def test_the_number_of_a_version_that_is_being_made_is_taken_and_not_shown(
    add: AddVersion, versions: VersionLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    place = RegionStores.place

    async def look(self: RegionStores, *given: Any, **named: Any) -> Placed:
        seen.extend([versions.list(), versions.find(numbered("1.0.0"))])
        with pytest.raises(DistributeError, match="exists already"):
            versions.check_new(numbered("1.0.0"))
        return await place(self, *given, **named)

    monkeypatch.setattr(RegionStores, "place", look)
    await add()
    assert seen == [[], None]
    assert versions.find(numbered("1.0.0"))


async def test_latest_is_the_highest_number_that_counts(add: AddVersion, versions: VersionLibrary) -> None:
    assert versions.find(numbered("latest")) is None
    for number, excluded in (("1.9.0", False), ("1.10.0", False), ("2.0.0", True), ("0.0.1", False)):
        await add(number, exclude_from_latest=excluded)
    assert versions.get("GAL/web/Latest").id.version == "1.10.0"
    assert versions.get("gal/web").id.version == "1.10.0"
    assert versions.get(str(numbered("2.0.0"))).exclude_from_latest
    assert [one.id.version for one in versions.list()] == ["0.0.1", "2.0.0", "1.10.0", "1.9.0"]


async def test_what_is_missing_names_what_there_is(
    add: AddVersion, versions: VersionLibrary, galleries: GalleryLibrary
) -> None:
    with pytest.raises(VmwrightError, match="no version that counts for latest") as caught:
        versions.get(str(numbered("latest")))
    assert caught.value.hint == "it has none at all"
    await add("1.0.0")
    await add("1.2.0")
    with pytest.raises(VmwrightError, match=r"has no version 1\.1\.0") as caught:
        versions.get("gal/web/1.1.0")
    assert caught.value.hint == "it has 1.2.0, 1.0.0"
    with pytest.raises(VmwrightError, match="no image definition gal/wep") as caught:
        versions.get("gal/wep/1.0.0")
    assert caught.value.hint == "did you mean gal/Web?"
    define(galleries, replace(DEFINITION, resource_group="rg2"))
    with pytest.raises(VmwrightError, match="Several image definitions"):
        versions.get("gal/web/1.0.0")


async def test_a_region_that_fails_leaves_nothing_of_the_version(
    add: AddVersion, versions: VersionLibrary, tmp_path: Path, database: Database, settings: Settings
) -> None:
    (tmp_path / "east").write_text("no folder")
    with pytest.raises(DistributeError, match="region eastus"):
        await add(regions=(TargetRegion(name="westus"), TargetRegion(name="eastus")))
    assert (versions.list(), rows(database)) == ([], 0)
    assert not [path for path in (settings.home / "regions").rglob("*") if path.is_file()]
    assert (await add()).id.version == "1.0.0"


async def test_a_foreign_file_is_no_replica_and_stays(
    add: AddVersion, versions: VersionLibrary, tmp_path: Path, database: Database
) -> None:
    theirs = tmp_path / "east" / "s1" / "rg1" / "gal" / "web" / "1.0.0.qcow2"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with pytest.raises(DistributeError, match="none of this library's"):
        await add(regions=(TargetRegion(name="eastus"),))
    assert (theirs.read_text(), rows(database)) == ("theirs", 0)


async def test_a_foreign_file_that_comes_meanwhile_stays(
    add: AddVersion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database
) -> None:
    place = RegionStores.place

    async def beaten(self: RegionStores, artifact: Artifact, path: Path, **named: Any) -> Placed:
        path.parent.mkdir(parents=True)
        path.write_text("theirs")
        return await place(self, artifact, path, **named)

    monkeypatch.setattr(RegionStores, "place", beaten)
    with pytest.raises(DistributeError, match="none of this library's"):
        await add(regions=(TargetRegion(name="eastus"),))
    assert [path.read_text() for path in (tmp_path / "east").rglob("*.qcow2")] == ["theirs"]
    assert rows(database) == 0


async def test_a_cancel_leaves_nothing_of_the_version(
    add: AddVersion, monkeypatch: pytest.MonkeyPatch, database: Database, settings: Settings
) -> None:
    place = RegionStores.place

    async def cancelled(self: RegionStores, *given: Any, **named: Any) -> Placed:
        if named["region"] == "westus":
            raise asyncio.CancelledError
        return await place(self, *given, **named)

    monkeypatch.setattr(RegionStores, "place", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await add(regions=(TargetRegion(name="eastus"),))
    assert rows(database) == 0
    assert not [path for path in settings.stores["eastus"].rglob("*") if path.is_file()]


async def test_removing_a_version_removes_its_replicas_and_the_bytes_that_nobody_needs(
    add: AddVersion, versions: VersionLibrary, artifacts: ArtifactStore, galleries: GalleryLibrary
) -> None:
    first, second = await add(body="same"), await add(body="same")
    with pytest.raises(VmwrightError, match=r"is not empty: it has 1\.0\.0, 1\.0\.1"):
        galleries.remove_definition(DEFINITION)
    assert versions.remove(first.id).id == first.id
    assert not first.replicas[0].path.exists()
    assert artifacts.get(second.digest)
    versions.remove(ids.parse(str(second.id).upper()))
    with pytest.raises(VmwrightError):
        artifacts.get(second.digest)
    with pytest.raises(VmwrightError, match="has no version"):
        versions.remove(first.id)
    galleries.remove_definition(DEFINITION)


async def test_a_version_that_a_build_stands_on_is_not_removed(
    add: AddVersion, versions: VersionLibrary, database: Database, tmp_path: Path
) -> None:
    made = await add()
    build_id = begun(database)
    with database.session() as session:
        session.get_one(BuildRow, build_id).source = f"a version (sha256:{made.digest})"
    with pytest.raises(VmwrightError, match=f"build {build_id} stands on"):
        versions.remove(made.id)
    end(database, build_id)
    versions.remove(made.id)


async def test_what_a_crash_has_left_is_removed_once_its_build_has_ended(
    add: AddVersion,
    versions: VersionLibrary,
    database: Database,
    artifacts: ArtifactStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(VersionLibrary, "_finish", lambda *_: None)
    monkeypatch.setattr(VersionLibrary, "_discard", lambda *_: None)
    await add(regions=(TargetRegion(name="eastus"),))
    monkeypatch.undo()
    with database.session() as session:
        row = session.scalars(select(VersionRow)).one()
        paths = [Path(path) for path in session.scalars(select(ReplicaRow.path))]
    assert row.build_id
    versions.remove_unfinished()
    assert all(path.exists() for path in paths), "its build still runs"
    end(database, row.build_id)
    versions.remove_unfinished()
    assert not any(path.exists() for path in paths)
    assert (rows(database), versions.list()) == (0, [])
    with pytest.raises(VmwrightError):
        artifacts.get(row.digest)


async def test_a_removal_that_was_interrupted_is_ended_by_the_next_command(
    add: AddVersion, versions: VersionLibrary, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await add()
    monkeypatch.setattr(VersionLibrary, "_discard", lambda *_: None)
    versions.remove(made.id)
    monkeypatch.undo()
    assert versions.list() == []
    assert made.replicas[0].path.exists()
    versions.remove_unfinished()
    assert not made.replicas[0].path.exists()
    assert rows(database) == 0


@pytest.mark.parametrize("versioning", [None, Versioning(scheme=VersioningScheme.SOURCE)])
@pytest.mark.parametrize("api_version", ["2020-02-14", "2022-07-01"])
async def test_builds_at_once_never_get_one_number(
    settings: Settings,
    database: Database,
    galleries: GalleryLibrary,
    artifacts: ArtifactStore,
    tmp_path: Path,
    api_version: str,
    versioning: Versioning | None,
) -> None:
    """Each build has its own connection, as its own process would."""
    define(galleries)
    new = NewVersion(
        id=DEFINITION,
        artifact=await artifact_of("a disk", artifacts, settings.home),
        facts=FACTS,
        api_version=api_version,
        source_version="1.2.3",
        versioning=versioning,
        build_id=begun(database),
        run_output="out",
        tags={},
        plan=PLAN,
    )
    start = Barrier(AT_ONCE)

    def make(_: int) -> VersionRecord:
        mine = open_database(settings)
        try:
            library = VersionLibrary(mine, ArtifactStore(settings.home, mine), RegionStores(settings))
            start.wait()
            return asyncio.run(library.add(new, writing=mine.session, ledger=Ledger(mine), events=Events()))
        finally:
            mine.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = await asyncio.gather(
            *(asyncio.get_running_loop().run_in_executor(pool, make, number) for number in range(AT_ONCE))
        )
    assert len({one.id for one in made}) == AT_ONCE
    assert {one.plan for one in made} == {PLAN}


async def test_the_shape_of_the_resource(add: AddVersion) -> None:
    made = await add(
        regions=(TargetRegion(name="WEST us", replica_count=2),), replication_mode="Shallow", plan=PLAN
    )
    resource = made.as_resource()
    assert resource["properties"]["publishingProfile"].pop("publishedDate") == made.created_at.isoformat()
    assert resource == {
        "id": str(made.id),
        "name": "1.0.0",
        "type": "Microsoft.Compute/galleries/images/versions",
        "location": "West US",
        "tags": {"correlationId": made.build_id},
        "properties": {
            "publishingProfile": {
                "targetRegions": [
                    {"name": "West US", "regionalReplicaCount": 2, "storageAccountType": "Standard_LRS"}
                ],
                "replicaCount": 1,
                "excludeFromLatest": False,
                "storageAccountType": "Standard_LRS",
                "replicationMode": "Shallow",
            },
            "storageProfile": {"osDiskImage": {"sizeInGB": 5, "hostCaching": "ReadWrite", "source": {}}},
            "provisioningState": "Succeeded",
        },
    }
