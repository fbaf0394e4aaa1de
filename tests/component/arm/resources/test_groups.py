"""Resource groups, as ``az group`` and the recorded clients use them."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.component.arm.asking import HOST, SUBSCRIPTION, asking
from tests.component.arm.resources.conftest import Provider, arm_for
from tests.conftest import SHARED
from vmwright.arm.background import Background
from vmwright.arm.ids import ResourceId
from vmwright.arm.operations import Operations
from vmwright.arm.service import Service
from vmwright.errors import VmwrightError

GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourcegroups"
WEB = f"{GROUPS}/Web"
TEMPLATES = "Microsoft.VirtualMachineImages/imageTemplates"


async def make(client: httpx2.AsyncClient, path: str = WEB, **body: Any) -> httpx2.Response:
    return await client.put(path, json={"location": "West US", **body})


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def put_template(service: Service, name: str, group: str = "web", **columns: Any) -> None:
    wanted = ResourceId(SUBSCRIPTION, group, "Microsoft.VirtualMachineImages", ("imageTemplates",), (name,))
    values = {"location": "westus", "body": {}, "tags": {}, "api_version": "2020-02-14", "principal": ""}
    service.store.put(wanted, kind=TEMPLATES, **{**values, **columns})


async def test_a_group_is_made_shown_and_listed_in_any_case(client: httpx2.AsyncClient) -> None:
    made = await make(client, tags={"cause": "a test"})
    assert made.status_code == 201
    assert made.json() == {
        "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web",
        "name": "Web",
        "type": "Microsoft.Resources/resourceGroups",
        "location": "westus",
        "tags": {"cause": "a test"},
        "properties": {"provisioningState": "Succeeded"},
    }
    assert (await client.get(WEB.upper())).json() == made.json()
    assert (await client.get(f"{GROUPS}/")).json() == {"value": [made.json()]}
    assert (await client.head(WEB.lower())).status_code == 204


async def test_a_group_that_is_made_again_has_other_tags_and_its_first_name(
    client: httpx2.AsyncClient,
) -> None:
    await make(client, tags={"a": "1"})
    again = await make(client, WEB.upper(), tags={"b": "2"})
    assert again.status_code == 200
    assert (again.json()["name"], again.json()["tags"]) == ("Web", {"b": "2"})


async def test_a_group_stays_where_it_is(client: httpx2.AsyncClient) -> None:
    await make(client)
    moved = await client.put(WEB, json={"location": "eastus"})
    assert code_of(moved) == (409, "InvalidResourceGroupLocation")


async def test_a_patch_replaces_tags_and_leaves_them_where_it_names_none(client: httpx2.AsyncClient) -> None:
    await make(client, tags={"a": "1"})
    assert (await client.patch(WEB, json={"tags": {"b": "2"}})).json()["tags"] == {"b": "2"}
    assert (await client.patch(WEB, json={"properties": {}})).json()["tags"] == {"b": "2"}
    assert code_of(await client.patch(f"{GROUPS}/other", json={})) == (404, "ResourceGroupNotFound")


async def test_a_group_that_is_not_there(client: httpx2.AsyncClient) -> None:
    assert (await client.head(WEB)).status_code == 404
    for answer in (await client.get(WEB), await client.delete(WEB), await client.get(f"{WEB}/resources")):
        assert code_of(answer) == (404, "ResourceGroupNotFound")
        assert answer.headers["x-ms-failure-cause"] == "gateway"
        assert answer.json()["error"]["message"] == "Resource group 'Web' could not be found."


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "LocationRequired"),
        ({"location": 3}, "LocationRequired"),
        ({"location": "mars"}, "LocationNotAvailableForResourceType"),
        ({"location": "westus", "tags": ["a"]}, "InvalidRequestContent"),
        ({"location": "westus", "tags": {"a": 1}}, "InvalidRequestContent"),
        ({"location": "westus", "tags": {f"t{n}": "" for n in range(51)}}, "TooManyTags"),
        ({"location": "westus", "tags": {"a/b": ""}}, "InvalidTagNameCharacters"),
        ({"location": "westus", "tags": {"a" * 513: ""}}, "InvalidTagNameLength"),
        ({"location": "westus", "tags": {"a": "b" * 257}}, "InvalidTagValueLength"),
        ({"location": "westus", "tags": {"a": "", "A": ""}}, "DuplicateTagName"),
    ],
)
async def test_a_group_that_cannot_be_is_not_made(
    client: httpx2.AsyncClient, body: dict[str, Any], code: str
) -> None:
    assert code_of(await client.put(WEB, json=body)) == (400, code)
    assert (await client.get(GROUPS)).json() == {"value": []}


@pytest.mark.parametrize("name", ["a$b", "a b", "end.", "x" * 91])
async def test_a_name_that_no_group_has_is_refused(client: httpx2.AsyncClient, name: str) -> None:
    assert code_of(await make(client, f"{GROUPS}/{name}")) == (400, "InvalidResourceGroup")


async def test_groups_are_found_by_a_tag(client: httpx2.AsyncClient) -> None:
    await make(client, f"{GROUPS}/one", tags={"team": "web", "cost": "7"})
    await make(client, f"{GROUPS}/two", tags={"team": "db", "cost": "web"})
    asked = await client.get(GROUPS, params={"$filter": "tagName eq 'Team' and tagValue eq 'web'"})
    assert [group["name"] for group in asked.json()["value"]] == ["one"]


async def test_groups_come_in_pages(client: httpx2.AsyncClient) -> None:
    for name in ("a", "b_1", "c"):
        await make(client, f"{GROUPS}/{name}")
    first = (await client.get(GROUPS, params={"$top": "2"})).json()
    assert [group["name"] for group in first["value"]] == ["a", "b_1"]
    assert first["nextLink"].startswith(f"{HOST}/subscriptions/")
    url = httpx2.URL(first["nextLink"])
    second = (await client.get(url, params=url.params)).json()
    assert [group["name"] for group in second["value"]] == ["c"]
    assert "nextLink" not in second


async def test_a_deleted_group_goes_with_all_that_is_in_it(
    client: httpx2.AsyncClient, service: Service, background: Background, provider: Provider
) -> None:
    await make(client)
    await make(client, f"{GROUPS}/WebTwo")
    put_template(service, "one")
    put_template(service, "kept", "webtwo")
    async with background.running():
        begun = await client.delete(WEB)
        assert (begun.status_code, begun.content, begun.headers["retry-after"]) == (202, b"", "1")
        assert begun.headers["location"].startswith(f"{HOST}/subscriptions/{SUBSCRIPTION}/operationresults/")
        await background.idle()
    assert (await client.get(begun.headers["location"])).status_code == 200
    assert provider.removed == [f"/subscriptions/{SUBSCRIPTION}/resourcegroups/web"]
    assert (await client.head(WEB)).status_code == 404
    left = service.store.find_all(subscription=SUBSCRIPTION)
    assert [resource.name for resource in left] == ["kept"]


async def test_a_group_that_is_being_deleted_takes_nothing_new(
    client: httpx2.AsyncClient,
) -> None:
    await make(client)
    begun = await client.delete(WEB)
    polled = await client.get(begun.headers["location"])
    assert (polled.status_code, polled.headers["location"]) == (202, begun.headers["location"])
    assert (await client.get(WEB)).json()["properties"] == {"provisioningState": "Deleting"}
    assert code_of(await make(client)) == (409, "ResourceGroupBeingDeleted")
    assert code_of(await client.patch(WEB, json={"tags": {}})) == (409, "ResourceGroupBeingDeleted")
    assert (await client.delete(WEB)).headers["location"] == begun.headers["location"]


async def test_a_deletion_is_gone_on_with_after_a_restart(
    client: httpx2.AsyncClient, service: Service, provider: Provider
) -> None:
    await make(client)
    begun = await client.delete(WEB)
    again = Background(Operations(service.database), service.events)
    async with asking(arm_for(service, again, provider)) as later:
        async with again.running():
            await again.idle()
        assert (await later.get(begun.headers["location"])).status_code == 200
        assert (await later.head(WEB, params={"api-version": "2024-11-01"})).status_code == 404


async def test_a_group_stays_where_something_in_it_cannot_go(
    client: httpx2.AsyncClient, service: Service, background: Background, provider: Provider
) -> None:
    await make(client)
    put_template(service, "one")
    provider.refuses = VmwrightError("The build 7 stands on it", hint="wait for its end")
    async with background.running():
        begun = await client.delete(WEB)
        await background.idle()
        failed = await client.get(begun.headers["location"])
        assert failed.status_code == 409
        assert failed.json()["error"]["message"] == "The build 7 stands on it (wait for its end)"
        assert (await client.get(WEB)).json()["properties"] == {"provisioningState": "Succeeded"}
        assert len(service.store.find_all(subscription=SUBSCRIPTION)) == 1
        provider.refuses = None
        await client.delete(WEB)
        await background.idle()
    assert (await client.head(WEB)).status_code == 404


async def test_an_operation_that_is_not_there(client: httpx2.AsyncClient) -> None:
    asked = await client.get(f"/subscriptions/{SUBSCRIPTION}/operationresults/x")
    assert code_of(asked) == (404, "OperationNotFound")


async def test_groups_look_as_recorded(client: httpx2.AsyncClient, background: Background) -> None:
    recorded = json.loads((SHARED / "recordings" / "azure-cli-open.json").read_text())
    asked = [one for one in recorded if one["cls"] == "aux-resourcegroup"]
    assert asked
    async with background.running():
        for one in asked:
            path = one["path"].replace("00000000-0000-0000-0000-000000000000", SUBSCRIPTION)
            params = {"api-version": one["api_version"]}
            if one["method"] == "GET":
                await make(client, path, tags=one["response_body"]["tags"])
            answer = await client.request(one["method"], path, json=one["request_body"], params=params)
            assert answer.status_code == one["status"]
            if one["response_body"]:
                assert answer.json().keys() == one["response_body"].keys()
                assert answer.json()["tags"] == one["response_body"]["tags"]
            else:
                assert answer.headers["content-length"] == one["response_headers"]["content-length"]
                assert "location" in answer.headers
