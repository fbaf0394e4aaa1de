"""Bodies that mean harm, in each place of what providers take: refused or taken, never a server's error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.component.arm.abuse.conftest import BUILDER_VERSION, House
from vmwright.arm.access.roles import READER

BUILDER = "providers/Microsoft.VirtualMachineImages/imageTemplates"
IDENTITIES = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"
ROLES = "providers/Microsoft.Authorization"
ID = "9f4bd1ab-4d94-4d4e-8d0b-c9a5a0a7b7c1"
TEMPLATE: dict[str, Any] = {
    "location": "westus",
    "tags": {"team": "web"},
    "identity": {"type": "None", "userAssignedIdentities": {}},
    "properties": {
        "source": {"type": "PlatformImage", "publisher": "p", "offer": "o", "sku": "s", "version": "1.0.0"},
        "customize": [{"type": "Shell", "name": "one", "inline": ["true"]}],
        "distribute": [{"type": "VHD", "runOutputName": "disk", "artifactTags": {"a": "b"}}],
        "vmProfile": {"vmSize": "Standard_D1_v2", "osDiskSizeGB": 40},
        "buildTimeoutInMinutes": 60,
        "stagingResourceGroup": "/subscriptions/x/resourceGroups/y",
    },
}


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def objects(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


EVIL: dict[str, Any] = {
    "nothing": None,
    "no text": "",
    "a list": [],
    "a list of nothing": [None],
    "an object": {},
    "a truth": True,
    "a number": 10**1000,
    "a small number": -(2**63) - 1,
    "a fraction": 1e-308,
    "a null character": "a\0b",
    "a null character in a name": {"a\0b": "c"},
    "control characters": "\r\n\x1b[2J\u202e",
    "beyond the plane": "\U0001f4a3",
    "a long text": "x" * 100_000,
    "200 levels": nested(200),
    "450 levels": objects(450),
    "900 levels": nested(900),
    "a placeholder": "<rgName>",
    "an expression": "[resourceGroup().id]",
}


def places(document: Any) -> Iterator[tuple[Any, ...]]:
    """Give the paths of all that is in a document."""
    parts = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in parts:
        yield (name,)
        if isinstance(value, dict | list):
            for path in places(value):
                yield (name, *path)


def with_evil(document: Any, path: tuple[Any, ...], evil: Any) -> Any:
    changed = copy.deepcopy(document)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = evil
    return changed


async def attack(house: House, method: str, path: str, body: Any, *, version: str) -> None:
    headers = {"Authorization": f"Bearer {house.owner.token}"}
    found = set()
    for place in places(body):
        for name, evil in EVIL.items():
            sent = json.dumps(with_evil(body, place, evil))
            answer = await house.http.request(
                method, f"{path}?api-version={version}", content=sent, headers=headers
            )
            if answer.status_code >= 500:
                found.add((place, name, answer.status_code, answer.text[:300]))
            await house.assembled.background.idle()
    assert not found


@pytest.mark.parametrize("version", ["2018-02-01-preview", "2022-07-01", BUILDER_VERSION])
async def test_templates(house: House, version: str) -> None:
    await attack(house, "PUT", f"{house.a}/{BUILDER}/web", TEMPLATE, version=version)


async def test_patches_of_templates(house: House) -> None:
    made = {**TEMPLATE, "properties": {**TEMPLATE["properties"], "stagingResourceGroup": ""}}
    path = f"{house.a}/{BUILDER}/web"
    assert (await house.owner.ask("PUT", path, made, version=BUILDER_VERSION)).status_code == 201
    await house.assembled.background.idle()
    patch = {
        "tags": {"team": "web"},
        "identity": {"type": "None", "userAssignedIdentities": {"x": None}},
        "properties": {
            "distribute": TEMPLATE["properties"]["distribute"],
            "vmProfile": TEMPLATE["properties"]["vmProfile"],
        },
    }
    await attack(house, "PATCH", path, patch, version=BUILDER_VERSION)


async def test_triggers(house: House) -> None:
    made = {**TEMPLATE, "properties": {**TEMPLATE["properties"], "stagingResourceGroup": ""}}
    path = f"{house.a}/{BUILDER}/web"
    assert (await house.owner.ask("PUT", path, made, version=BUILDER_VERSION)).status_code == 201
    body = {"location": "westus", "properties": {"kind": "SourceImage"}}
    await attack(house, "PUT", f"{path}/triggers/one", body, version=BUILDER_VERSION)


async def test_groups(house: House) -> None:
    group = {"location": "westus", "tags": {"a": "b"}, "managedBy": "x", "properties": {}}
    await attack(house, "PUT", f"{house.subscription}/resourceGroups/c", group, version="2021-04-01")
    await attack(house, "PATCH", house.a, {"tags": {"a": "b"}, "properties": {}}, version="2021-04-01")


async def test_identities(house: House) -> None:
    path = f"{house.a}/{IDENTITIES}/builder"
    await attack(house, "PUT", path, {"location": "westus", "tags": {"a": "b"}}, version="2023-01-31")
    await attack(house, "PATCH", path, {"tags": {"a": "b"}}, version="2023-01-31")


async def test_roles(house: House) -> None:
    definition = {
        "properties": {
            "roleName": "Ours",
            "description": "d",
            "assignableScopes": [house.a],
            "permissions": [
                {"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}
            ],
        }
    }
    await attack(house, "PUT", f"{house.a}/{ROLES}/roleDefinitions/{ID}", definition, version="2022-04-01")
    assignment = {
        "properties": {
            "roleDefinitionId": f"{house.subscription}/{ROLES}/roleDefinitions/{READER.id}",
            "principalId": house.owner.id,
            "principalType": "ServicePrincipal",
            "description": "d",
            "condition": None,
        }
    }
    await attack(house, "PUT", f"{house.a}/{ROLES}/roleAssignments/{ID}", assignment, version="2022-04-01")


async def test_the_graph(house: House) -> None:
    body = {"ids": [house.owner.id], "types": ["servicePrincipal"]}
    await attack(house, "POST", "/graph/v1.0/directoryObjects/getByIds", body, version="")


@pytest.mark.parametrize("profile", [None, {}, {"vmSize": None}, {"userAssignedIdentities": None}])
async def test_a_patch_of_what_is_not_there(house: House, profile: Any) -> None:
    bare = {name: value for name, value in TEMPLATE["properties"].items() if name in {"source", "distribute"}}
    path = f"{house.a}/{BUILDER}/web"
    made = await house.owner.ask("PUT", path, {**TEMPLATE, "properties": bare}, version=BUILDER_VERSION)
    assert made.status_code == 201, made.text
    await house.assembled.background.idle()
    patch = {"properties": {"vmProfile": profile}, "identity": None, "tags": None}
    answer = await house.owner.ask("PATCH", path, patch, version=BUILDER_VERSION)
    assert answer.status_code in {202, 400}, answer.text


COMPUTE = "providers/Microsoft.Compute"
MADE: dict[str, dict[str, Any]] = {
    "galleries/ours": {"location": "westus", "tags": {"a": "b"}, "properties": {"description": "d"}},
    "galleries/ours/images/web": {
        "location": "westus",
        "properties": {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
            "features": [{"name": "SecurityType", "value": "TrustedLaunchSupported"}],
            "recommended": {"vCPUs": {"min": 1, "max": 2}},
            "endOfLifeDate": "2030-01-01T00:00:00Z",
        },
    },
    "galleries/ours/images/web/versions/1.0.0": {
        "location": "westus",
        "properties": {
            "publishingProfile": {
                "targetRegions": [{"name": "westus", "regionalReplicaCount": 1}],
                "excludeFromLatest": False,
                "endOfLifeDate": "2030-01-01T00:00:00Z",
            },
            "storageProfile": {"source": {"id": "/subscriptions/x/resourceGroups/y/providers/z/images/i"}},
        },
    },
    "images/web": {
        "location": "westus",
        "properties": {
            "storageProfile": {
                "osDisk": {
                    "osType": "Linux",
                    "osState": "Generalized",
                    "blobUri": "file:///x.vhd",
                }
            },
            "hyperVGeneration": "V2",
        },
    },
}


@pytest.mark.parametrize("made", MADE)
async def test_galleries_and_images(house: House, made: str) -> None:
    for around in ("galleries/ours", "galleries/ours/images/web"):
        path = f"{house.a}/{COMPUTE}/{around}"
        assert (await house.owner.ask("PUT", path, MADE[around])).status_code == 201
    await attack(house, "PUT", f"{house.a}/{COMPUTE}/{made}", MADE[made], version="2024-03-03")


async def test_signed_addresses(house: House) -> None:
    """Of the account that a template has."""
    path = f"{house.a}/{BUILDER}/web"
    made = {**TEMPLATE, "properties": {**TEMPLATE["properties"], "stagingResourceGroup": ""}}
    assert (await house.owner.ask("PUT", path, made, version=BUILDER_VERSION)).status_code == 201
    await house.assembled.background.idle()
    accounts = f"{house.subscription}/providers/Microsoft.Storage/storageAccounts"
    (account,) = (await house.owner.ask("GET", accounts)).json()["value"]
    body = {
        "canonicalizedResource": f"/blob/{account['name']}/vhds/x.vhd",
        "signedResource": "b",
        "signedPermission": "r",
        "signedExpiry": "2027-01-01T00:00:00Z",
        "signedStart": "2026-01-01T00:00:00Z",
    }
    await attack(house, "POST", f"{account['id']}/listServiceSas", body, version="2023-01-01")
