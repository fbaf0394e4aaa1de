"""Managed identities, and the Graph that knows them: what `az role assignment create --assignee` asks for."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select

from tests.component.arm.access.conftest import OTHER, TENANT, Client, G, S
from tests.conftest import SHARED
from vmwright.arm.access import roles
from vmwright.state.database import Database
from vmwright.state.service_tables import PrincipalRow

Clients = Callable[[str], Awaitable[Client]]
KIND = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"
BUILDER = f"{G}/{KIND}/Builder-1"
GRAPH = "/graph/v1.0"


async def test_an_identity_is_made_changed_and_removed(client: Clients) -> None:
    owner = await client("owner")
    made = await owner.ask("PUT", BUILDER, {"location": "West US 2"})
    assert made.status_code == 201
    identity = made.json()
    assert identity["id"] == BUILDER.replace("resourceGroups", "resourcegroups")
    assert made.headers["location"] == identity["id"]
    assert (identity["location"], identity["tags"]) == ("westus2", {})
    assert identity["properties"]["tenantId"] == TENANT
    assert (await owner.ask("GET", BUILDER.upper())).json() == identity

    again = await owner.ask("PUT", BUILDER, {"location": "westus2", "tags": {"a": "1"}})
    assert (again.status_code, again.json()) == (200, {**identity, "tags": {"a": "1"}})
    assert (await owner.ask("PATCH", BUILDER, {})).json()["tags"] == {"a": "1"}
    patched = await owner.ask("PATCH", BUILDER, {"tags": {"b": "2"}})
    assert (patched.status_code, patched.json()) == (200, {**identity, "tags": {"b": "2"}})

    assert [one["id"] for one in await owner.values(f"{G}/{KIND}")] == [identity["id"]]
    assert await owner.values(f"{OTHER}/{KIND}") == []
    assert len(await owner.values(f"{S}/{KIND}")) == 1
    assert (await owner.ask("DELETE", BUILDER)).status_code == 200
    assert (await owner.ask("DELETE", BUILDER)).status_code == 204
    assert (await owner.ask("PATCH", BUILDER, {})).status_code == 404
    missing = await owner.ask("GET", BUILDER)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (BUILDER, {}, 400, "LocationRequired"),
        (BUILDER, {"location": "atlantis"}, 400, "LocationNotAvailableForResourceType"),
        (BUILDER, {"location": "westus2", "tags": {"a": 1}}, 400, "InvalidRequestContent"),
        (f"{G}/{KIND}/b", {"location": "westus2"}, 400, "InvalidResourceName"),
        (f"{S}/resourceGroups/none/{KIND}/builder", {"location": "westus2"}, 404, "ResourceGroupNotFound"),
    ],
)
async def test_an_identity_that_cannot_be_is_refused(
    client: Clients, path: str, body: dict[str, object], status: int, code: str
) -> None:
    response = await (await client("owner")).ask("PUT", path, body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_an_identity_stays_where_it_is(client: Clients) -> None:
    owner = await client("owner")
    await owner.ask("PUT", BUILDER, {"location": "westus2"})
    response = await owner.ask("PUT", BUILDER, {"location": "eastus"})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "InvalidResourceLocation")


async def test_an_identity_is_given_a_role_by_its_client_id(client: Clients, database: Database) -> None:
    owner = await client("owner")
    properties = (await owner.ask("PUT", BUILDER, {"location": "westus2"})).json()["properties"]
    asked = f"servicePrincipalNames/any(c:c eq '{properties['clientId']}')"
    (found,) = await owner.values(f"{GRAPH}/servicePrincipals?$filter={asked}")
    assert (found["id"], found["appId"]) == (properties["principalId"], properties["clientId"])
    assert (found["displayName"], found["servicePrincipalType"]) == ("Builder-1", "ManagedIdentity")
    same = await owner.ask("PUT", BUILDER.upper(), {"location": "westus2"})
    assert (same.status_code, same.json()["properties"]) == (200, properties)
    assert (await owner.give(roles.READER, G, found["id"])).status_code == 201
    assert (await owner.give(roles.READER, BUILDER, found["id"])).status_code == 201

    # nothing of it is left that a later one of its name could have
    await owner.ask("DELETE", BUILDER)
    assert await owner.values(f"{GRAPH}/servicePrincipals?$filter={asked}") == []
    later = (await owner.ask("PUT", BUILDER, {"location": "westus2"})).json()["properties"]
    assert later["principalId"] != properties["principalId"]
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(PrincipalRow)) == 2


async def test_the_graph_finds_who_roles_are_given_to(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna@local")
    (user,) = await anna.values(f"{GRAPH}/users?$filter=userPrincipalName eq 'ANNA@local'")
    assert (user["id"], user["userPrincipalName"]) == (anna.id, "anna@local")
    assert (await anna.ask("GET", f"{GRAPH}/users/anna@local")).json()["id"] == anna.id
    assert (await anna.ask("GET", f"{GRAPH}/me")).json()["id"] == anna.id
    assert (await owner.ask("GET", f"{GRAPH}/me")).status_code == 400
    assert (await owner.ask("GET", f"{GRAPH}/users/{owner.id}")).status_code == 404
    assert (await owner.ask("GET", f"{GRAPH}/servicePrincipals/{owner.id}")).json()["displayName"] == "owner"

    asked = {"ids": [owner.id, anna.id.upper(), "nobody"], "types": ["user"]}
    found = (await owner.ask("POST", f"{GRAPH}/directoryObjects/getByIds", asked)).json()["value"]
    assert {one["id"]: one["@odata.type"] for one in found} == {
        owner.id: "#microsoft.graph.servicePrincipal",
        anna.id: "#microsoft.graph.user",
    }
    for ids in (None, "x", [1], ["\0"], ["x"] * 1001):
        refused = await owner.ask("POST", f"{GRAPH}/directoryObjects/getByIds", {"ids": ids})
        assert refused.status_code == 400


async def test_identities_answer_as_the_real_service_did(client: Clients) -> None:
    recorded = [
        one
        for one in json.loads((SHARED / "recordings" / "azure-cli-open.json").read_text())
        if one["cls"] == "aux-identity"
    ]
    assert recorded
    owner = await client("owner")
    for one in recorded:
        await owner.ask("DELETE", BUILDER) if one["method"] == "PUT" else None
        response = await owner.ask(one["method"], BUILDER, one["request_body"])
        assert response.status_code == one["status"]
        assert "location" in response.headers or "location" not in one["response_headers"]
        assert _shape(response.json()) == _shape(one["response_body"])


def _shape(value: object) -> object:
    return {name: _shape(one) for name, one in value.items()} if isinstance(value, dict) else type(value)
