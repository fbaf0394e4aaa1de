"""Gallery versions: imported from images, versions and disks, changed, and removed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.component.arm.asking import arm_of, asking
from tests.component.arm.compute.talking import (
    DEFINITION,
    GROUP,
    IMAGE,
    OF_LINUX,
    ONE,
    SITE,
    Rights,
    Talk,
    importing,
    version_of,
)
from vmwright.arm.background import Background
from vmwright.arm.providers import compute
from vmwright.arm.service import Service
from vmwright.artifacts import RegionStores
from vmwright.errors import DistributeError
from vmwright.images.ids import parse

STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/disks"
FROM_DISK = {
    "osDiskImage": {"source": {"uri": f"{SITE}disk.vhd?sig=secretsignature", "storageAccountId": STORAGE}}
}
FROM_IMAGE = {"source": {"id": IMAGE}}
EAST_TWICE = {"name": "eastus", "regionalReplicaCount": 2}


@pytest.fixture
async def ready(defined: Talk) -> Talk:
    """The client, once there is a managed image, too."""
    await defined.made(IMAGE, importing())
    return defined


def files(service: Service) -> list[str]:
    regions = service.settings.home / "regions"
    return sorted(path.relative_to(regions).parts[0] for path in regions.rglob("*.qcow2"))


async def test_an_image_becomes_a_version_in_its_regions(ready: Talk, service: Service) -> None:
    body = version_of(
        FROM_IMAGE, targetRegions=[EAST_TWICE, {"name": "West US"}], endOfLifeDate="2030-01-01T00:00:00Z"
    )
    made = await ready.made(ONE, {**body, "tags": {"a": "b"}})
    publishing = made["properties"]["publishingProfile"]
    assert publishing.pop("publishedDate")
    assert publishing == {
        "targetRegions": [
            {"name": "East US", "regionalReplicaCount": 2, "storageAccountType": "Standard_LRS"},
            {"name": "West US", "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS"},
        ],
        "replicaCount": 1,
        "excludeFromLatest": False,
        "storageAccountType": "Standard_LRS",
        "endOfLifeDate": "2030-01-01T00:00:00Z",
    }
    storage = made["properties"]["storageProfile"]
    assert storage["source"] == {"id": IMAGE}
    assert storage["osDiskImage"] == {"sizeInGB": 1, "hostCaching": "ReadWrite", "source": {}}
    assert (made["tags"], made["properties"]["provisioningState"]) == ({"a": "b"}, "Succeeded")
    assert files(service) == ["eastus", "westus"]
    expanded = await ready.get(f"{ONE}?$expand=ReplicationStatus")
    assert expanded["properties"]["replicationStatus"] == {
        "aggregatedState": "Completed",
        "summary": [
            {"region": name, "state": "Completed", "details": "", "progress": 100}
            for name in ("East US", "West US")
        ],
    }
    assert [one["id"] for one in (await ready.get(f"{DEFINITION}/versions"))["value"]] == [ONE]
    assert (await ready.get(f"{DEFINITION}/versions/latest"))["name"] == "1.0.0"


@pytest.mark.parametrize(
    "body",
    [
        version_of(FROM_DISK),
        version_of({}, source={"managedImage": {"id": IMAGE}}),
        version_of({"source": {"id": f"{DEFINITION}/versions/0.9.0"}}),
    ],
)
async def test_a_disk_an_image_or_another_version_becomes_one(
    ready: Talk, service: Service, body: dict[str, Any]
) -> None:
    await ready.made(f"{DEFINITION}/versions/0.9.0", version_of(FROM_IMAGE))
    made = await ready.made(ONE, body)
    assert "secretsignature" not in repr(made)
    versions = service.images.versions.list()
    assert [version.facts.os_name for version in versions] == ["Tiny 1", "Tiny 1"]


async def test_a_version_is_changed_and_its_replicas_follow(ready: Talk, service: Service) -> None:
    await ready.made(ONE, version_of(FROM_IMAGE, targetRegions=[EAST_TWICE]))
    there = await ready.get(ONE)
    there["properties"]["publishingProfile"]["excludeFromLatest"] = True
    there["properties"]["publishingProfile"]["targetRegions"] = [
        {"name": "westus", "regionalReplicaCount": 3},
        {"name": "northeurope"},
    ]
    answer = await ready("PUT", ONE, {**there, "tags": {"x": "y"}})
    assert answer.status_code == 200
    await ready.background.idle()
    changed = await ready.get(ONE)
    publishing = changed["properties"]["publishingProfile"]
    assert publishing["excludeFromLatest"] is True
    assert {one["name"]: one["regionalReplicaCount"] for one in publishing["targetRegions"]} == {
        "West US": 3,
        "North Europe": 1,
    }
    assert changed["tags"] == {"x": "y"}
    assert changed["properties"]["storageProfile"] == there["properties"]["storageProfile"]
    assert files(service) == ["northeurope", "westus"]
    assert (await ready("GET", f"{DEFINITION}/versions/latest")).status_code == 404
    patch = {"properties": {"publishingProfile": {"excludeFromLatest": False}}}
    assert await ready.done("PATCH", ONE, patch) == ""
    patched = (await ready.get(ONE))["properties"]["publishingProfile"]
    assert patched == {**publishing, "excludeFromLatest": False}
    refused = await ready.refused("PUT", ONE, version_of(FROM_DISK))
    assert refused[:2] == (409, "PropertyChangeNotAllowed")


async def test_a_region_that_cannot_be_written_leaves_the_version_as_it_was(
    ready: Talk, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await ready.made(ONE, version_of(FROM_IMAGE))

    async def full(*_: object, **__: object) -> None:
        raise DistributeError("The store is full")

    monkeypatch.setattr(RegionStores, "place", full)
    changed = version_of(FROM_IMAGE, targetRegions=[EAST_TWICE])
    assert await ready.done("PUT", ONE, changed) == "The store is full"
    after = await ready.get(ONE)
    assert after["properties"].pop("provisioningState") == "Failed"
    regions = after["properties"]["publishingProfile"]["targetRegions"]
    assert regions == before["properties"]["publishingProfile"]["targetRegions"]
    assert (
        await ready.done("PUT", f"{DEFINITION}/versions/2.0.0", version_of(FROM_IMAGE)) == "The store is full"
    )
    failed = await ready.get(f"{DEFINITION}/versions/2.0.0")
    assert failed["properties"]["provisioningState"] == "Failed"
    monkeypatch.undo()
    assert await ready.done("PUT", f"{DEFINITION}/versions/2.0.0", version_of(FROM_IMAGE)) == ""
    assert await ready.done("PUT", ONE, changed) == ""
    assert files(service) == ["eastus", "westus", "westus"]


async def test_an_import_that_a_restart_broke_off_is_done_once(
    ready: Talk, service: Service, rights: Rights, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    place = RegionStores.place

    async def hang(*_: object, **__: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(RegionStores, "place", hang)
    first = Background(service.operations, service.events)
    async with asking(arm_of(compute.routes(service, first, rights))) as client:
        async with first.running():
            asked = asyncio.create_task(Talk(client, first)("PUT", ONE, version_of(FROM_IMAGE)))
            await begun.wait()
            service.images.versions.remove_unfinished()  # as a worker does now and then
            answer = await asked
        monkeypatch.setattr(RegionStores, "place", place)
        assert (await ready.ended(answer))["status"] == "InProgress"
        assert (await ready.get(ONE))["properties"]["provisioningState"] == "Creating"
        second = Background(service.operations, service.events)
        list(compute.routes(service, second, rights))
        async with second.running():
            await second.idle()
    assert (await ready.ended(answer))["status"] == "Succeeded"
    assert (await ready.get(ONE))["properties"]["provisioningState"] == "Succeeded"
    assert files(service) == ["westus"]


async def test_a_version_on_which_a_build_stands_stays(
    ready: Talk, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ready.made(ONE, version_of(FROM_IMAGE, targetRegions=[EAST_TWICE]))
    monkeypatch.setattr(service.images.artifacts, "build_on", lambda _digest: "7")
    status, code, message = await ready.refused("DELETE", ONE)
    assert (status, code) == (409, "Conflict")
    assert "The build 7 stands on" in message
    in_the_west_only = version_of(FROM_IMAGE, targetRegions=[{"name": "westus"}])
    assert "stands on" in await ready.done("PUT", ONE, in_the_west_only)
    assert files(service) == ["eastus", "westus"]
    monkeypatch.undo()
    assert await ready.done("DELETE", ONE) == ""
    assert files(service) == []
    assert (await ready("GET", ONE)).status_code == 404


async def test_a_version_that_shall_stay_until_its_end_of_life_stays(ready: Talk) -> None:
    body = version_of(FROM_IMAGE, endOfLifeDate="2999-01-01T00:00:00Z")
    body["properties"]["safetyProfile"] = {"blockDeletionBeforeEndOfLife": True}
    await ready.made(ONE, body)
    refused = await ready.refused("DELETE", ONE)
    assert refused[:2] == (409, "OperationNotAllowed")
    assert "2999-01-01" in refused[2]
    await ready.done("PATCH", ONE, {"properties": {"safetyProfile": {"blockDeletionBeforeEndOfLife": False}}})
    assert await ready.done("DELETE", ONE) == ""


async def test_a_second_write_waits_for_the_first(ready: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = asyncio.Event()
    place = RegionStores.place

    async def slow(*given: Any, **named: Any) -> object:
        await going_on.wait()
        return await place(*given, **named)

    monkeypatch.setattr(RegionStores, "place", slow)
    assert (await ready("PUT", ONE, version_of(FROM_IMAGE))).status_code == 201
    for method in ("PUT", "DELETE"):
        assert (await ready.refused(method, ONE, version_of(FROM_IMAGE)))[:2] == (409, "Conflict")
    expanded = await ready.get(f"{ONE}?$expand=ReplicationStatus")
    assert expanded["properties"]["replicationStatus"]["aggregatedState"] == "InProgress"
    going_on.set()
    await ready.background.idle()
    assert (await ready.get(ONE))["properties"]["provisioningState"] == "Succeeded"


async def test_who_may_not_read_an_image_makes_no_version_of_it(ready: Talk, rights: Rights) -> None:
    rights.refused = IMAGE
    refused = await ready.refused("PUT", ONE, version_of(FROM_IMAGE))
    assert refused[:2] == (403, "LinkedAuthorizationFailed")
    assert "'Microsoft.Compute/images/read'" in refused[2]
    assert (await ready("GET", ONE)).status_code == 404


@pytest.mark.parametrize(
    ("number", "body", "code", "says"),
    [
        ("one", version_of(FROM_IMAGE), "InvalidParameter", "Major(int).Minor(int).Patch(int)"),
        ("latest", version_of(FROM_IMAGE), "InvalidParameter", "Major(int).Minor(int).Patch(int)"),
        ("1.0.0", version_of({}), "InvalidParameter", "storageProfile.source"),
        ("1.0.0", version_of({**FROM_IMAGE, **FROM_DISK}), "InvalidParameter", "one source"),
        ("1.0.0", version_of(FROM_IMAGE, targetRegions=[{"name": "mars"}]), "InvalidParameter", "mars"),
        (
            "1.0.0",
            version_of(FROM_IMAGE, targetRegions=[EAST_TWICE] * 2),
            "InvalidParameter",
            "more than once",
        ),
        ("1.0.0", version_of(FROM_IMAGE, replicaCount=101), "InvalidParameter", "1 to 100"),
        ("1.0.0", version_of(FROM_IMAGE, excludeFromLatest="no"), "InvalidParameter", "true or false"),
        ("1.0.0", version_of(FROM_IMAGE, endOfLifeDate="soon"), "InvalidParameter", "'soon'"),
        ("1.0.0", version_of(FROM_IMAGE, replicationMode="Deep"), "InvalidParameter", "Shallow"),
        ("1.0.0", version_of(FROM_IMAGE, storageAccountType="Tape"), "InvalidParameter", "'Tape'"),
        ("1.0.0", version_of({"source": {"id": STORAGE}}), "NotSupported", "storageAccounts"),
        (
            "1.0.0",
            {"location": "westus", "properties": {"storageProfile": []}},
            "InvalidParameter",
            "JSON object",
        ),
        ("1.0.0", version_of({"source": "golden"}), "InvalidParameter", "not a JSON object"),
        ("1.0.0", version_of({**FROM_IMAGE, "dataDiskImages": [{}]}), "NotSupported", "data disks"),
    ],
)
async def test_a_body_that_no_version_can_be_made_of_is_refused(
    defined: Talk, number: str, body: dict[str, Any], code: str, says: str
) -> None:
    refused = await defined.refused("PUT", f"{DEFINITION}/versions/{number}", body)
    assert refused[:2] == (400, code)
    assert says in refused[2]


async def test_a_version_needs_its_definition_and_a_source_that_is_there(
    ready: Talk, service: Service
) -> None:
    refused = await ready.refused("PUT", f"{DEFINITION}s/versions/1.0.0", version_of(FROM_IMAGE))
    assert refused[:2] == (404, "ParentResourceNotFound")
    lost = version_of({"source": {"id": f"{IMAGE}2"}})
    assert "There is no managed image" in await ready.done("PUT", ONE, lost)
    assert service.images.versions.find(parse(ONE)) is None
    assert (await ready.get(ONE))["properties"]["provisioningState"] == "Failed"
    assert await ready.done("DELETE", DEFINITION) == ""
    assert (await ready.refused("GET", ONE))[1] == "ParentResourceNotFound"
    await ready.made(DEFINITION, OF_LINUX)
    assert (await ready.get(f"{DEFINITION}/versions"))["value"] == []
    assert not Path(service.settings.home / "regions").exists()
