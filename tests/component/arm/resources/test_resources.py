"""Lists of all resources, providers, features, regions, and what a client asks for when it logs in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from tests.component.arm.asking import SUBSCRIPTION, TENANT
from tests.component.arm.resources.conftest import Provider
from tests.component.arm.resources.test_groups import code_of, make, put_template
from vmwright.arm.service import Service
from vmwright.arm.store import Resource
from vmwright.regions import DISPLAY_NAMES
from vmwright.settings import Settings

SUB = f"/subscriptions/{SUBSCRIPTION}"
AT = datetime(2026, 11, 22, 16, tzinfo=UTC)
IMAGE = Resource(
    id=f"{SUB}/resourceGroups/web/providers/Microsoft.Compute/images/golden",
    type="Microsoft.Compute/images",
    name="golden",
    location="westus",
    api_version="2024-11-01",
    created_by="",
    created_at=AT,
    changed_at=AT,
)


async def names(client: httpx2.AsyncClient, path: str = f"{SUB}/resources", **options: str) -> list[str]:
    answer = await client.get(path, params={f"${name}": value for name, value in options.items()})
    assert answer.status_code == 200
    return [resource["name"] for resource in answer.json()["value"]]


@pytest.fixture
async def filled(client: httpx2.AsyncClient, service: Service, provider: Provider) -> httpx2.AsyncClient:
    for group in ("web", "db"):
        await make(client, f"{SUB}/resourceGroups/{group}")
    put_template(service, "nginx", "web", tags={"team": "web"}, body={"properties": {"source": {}}})
    put_template(service, "postgres", "db", tags={"team": "db", "it's": "here"})
    return client


async def test_resources_of_all_types_are_listed_with_those_that_providers_keep(
    filled: httpx2.AsyncClient, provider: Provider
) -> None:
    provider.own.append(IMAGE)
    assert await names(filled) == ["postgres", "golden", "nginx"]
    await filled.post(f"{SUB}/providers/Microsoft.Compute/unregister")
    assert await names(filled) == ["postgres", "golden", "nginx"]


async def test_a_group_lists_what_is_its_own(filled: httpx2.AsyncClient) -> None:
    assert await names(filled, f"{SUB}/resourceGroups/WEB/resources") == ["nginx"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resourceType eq 'microsoft.virtualmachineimages/imagetemplates'", ["postgres", "nginx"]),
        ("resourceType eq 'Microsoft.Compute/images'", []),
        ("resourceGroup eq 'web'", ["nginx"]),
        ("tagName eq 'team' and tagValue eq 'web'", ["nginx"]),
        ("tagName eq 'it''s'", ["postgres"]),
        ("name eq 'nginx' or name eq 'postgres'", ["postgres", "nginx"]),
        ("name ne 'nginx'", ["postgres"]),
        ("startswith(name, 'post')", ["postgres"]),
        ("substringof('gin', name)", ["nginx"]),
        ("location eq 'WestUS' and (name eq 'nginx')", ["nginx"]),
        ("", ["postgres", "nginx"]),
        ("plan/publisher eq 'x'", ["postgres", "nginx"]),
        ("what is (this' and or or", ["postgres", "nginx"]),
        ("'" * 5000, ["postgres", "nginx"]),
    ],
)
async def test_a_filter_leaves_what_it_names_and_is_never_an_error(
    filled: httpx2.AsyncClient, text: str, expected: list[str]
) -> None:
    assert await names(filled, filter=text) == expected


@pytest.mark.parametrize("options", [{"top": "-1"}, {"top": "x"}, {"top": "9" * 40}, {"skiptoken": "%%%"}])
async def test_other_options_are_never_an_error(filled: httpx2.AsyncClient, options: dict[str, str]) -> None:
    assert await names(filled, **options) == ["postgres", "nginx"]


async def test_a_list_shows_times_and_state_only_where_they_are_asked_for(filled: httpx2.AsyncClient) -> None:
    plain, expanded = [
        (await filled.get(f"{SUB}/resources", params=params)).json()["value"][1]
        for params in ({}, {"$expand": "createdTime,changedTime,provisioningState"})
    ]
    assert plain.keys() == {"id", "name", "type", "location", "tags"}
    assert expanded.keys() - plain.keys() == {"createdTime", "changedTime", "provisioningState"}


async def test_what_a_client_asks_for_when_it_logs_in(client: httpx2.AsyncClient) -> None:
    (tenant,) = (await client.get("/tenants")).json()["value"]
    (listed,) = (await client.get("/subscriptions")).json()["value"]
    assert tenant["tenantId"] == listed["tenantId"] == TENANT
    assert (listed["id"], listed["subscriptionId"], listed["state"]) == (SUB, SUBSCRIPTION, "Enabled")
    assert (await client.get(SUB)).json() == listed


async def test_every_region_is_listed_once(client: httpx2.AsyncClient) -> None:
    listed = (await client.get(f"{SUB}/locations")).json()["value"]
    assert {one["name"]: one["displayName"] for one in listed} == DISPLAY_NAMES
    assert len(listed) == len(DISPLAY_NAMES)
    (west,) = (one for one in listed if one["name"] == "westus")
    assert west["regionalDisplayName"] == "(US) West US"


async def test_a_provider_names_its_types_and_newest_versions_first(client: httpx2.AsyncClient) -> None:
    provider = (await client.get(f"{SUB}/providers/microsoft.virtualmachineimages")).json()
    assert (provider["namespace"], provider["registrationState"]) == (
        "Microsoft.VirtualMachineImages",
        "Registered",
    )
    (templates,) = (kind for kind in provider["resourceTypes"] if kind["resourceType"] == "imageTemplates")
    assert templates["apiVersions"][0] == "2025-10-01"
    listed = (await client.get(f"{SUB}/providers", params={"$top": "5", "$expand": "metadata"})).json()[
        "value"
    ]
    assert provider in listed


async def test_a_provider_can_be_unregistered_and_registered(client: httpx2.AsyncClient) -> None:
    path = f"{SUB}/providers/Microsoft.KeyVault"
    for verb, state in (("unregister", "Unregistered"), ("Register", "Registered")):
        assert (await client.post(f"{path}/{verb}")).json()["registrationState"] == state
        assert (await client.get(path)).json()["registrationState"] == state
        listed = (await client.get(f"{SUB}/providers")).json()["value"]
        assert (await client.get(path)).json() in listed


async def test_a_namespace_that_nobody_knows(client: httpx2.AsyncClient) -> None:
    for answer in (
        await client.get(f"{SUB}/providers/Contoso.Web"),
        await client.post(f"{SUB}/providers/Contoso.Web/register"),
    ):
        assert code_of(answer) == (404, "InvalidResourceNamespace")


async def test_features_are_registered(client: httpx2.AsyncClient) -> None:
    namespace = "Microsoft.Features/providers/Microsoft.VirtualMachineImages"
    path = f"{SUB}/providers/{namespace}/features/VirtualMachineTemplatePreview"
    expected: dict[str, Any] = {
        "id": path,
        "name": "Microsoft.VirtualMachineImages/VirtualMachineTemplatePreview",
        "type": "Microsoft.Features/providers/features",
        "properties": {"state": "Registered"},
    }
    assert (await client.get(path)).json() == (await client.post(f"{path}/register")).json() == expected
    assert (await client.post(f"{path}/unregister")).json()["properties"] == {"state": "Unregistered"}
    assert (await client.get(path)).json()["properties"] == {"state": "Unregistered"}


async def test_aliases_stand_for_names_of_the_marketplace(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    listed = (await client.get("/aliases.json")).json()["outputs"]["aliases"]["value"]
    assert listed["Linux"]["Ubuntu2204"] == {
        "publisher": "Canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts-gen2",
        "version": "latest",
        "architecture": "x64",
    }
    assert {"Debian12", "Ubuntu2404"} <= listed["Linux"].keys()
