"""Whoever has a role can do what it allows, where it is had; all others get ARM's refusal."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select

from tests.component.arm.access.conftest import AUTHORIZATION, OTHER, SUBSCRIPTION, Client, G, S
from vmwright.arm.access import roles
from vmwright.arm.access.access import Access, open_access
from vmwright.arm.access.decisions import KEPT_SECONDS, Decisions
from vmwright.arm.access.principal import Principal
from vmwright.arm.ids import ResourceId
from vmwright.state.database import Database
from vmwright.state.service_tables import RoleAssignmentRow

Clients = Callable[[str], Awaitable[Client]]
T = f"{G}/providers/Microsoft.VirtualMachineImages/imageTemplates/t"
IMAGE_CREATION = {
    "roleName": "Image Creation",
    "description": "",
    "type": "CustomRole",
    "assignableScopes": [G],
    "permissions": [{"actions": ["Microsoft.Compute/images/write"], "notActions": []}],
}


async def test_without_a_role_nothing_may_be_done_and_arm_says_so(client: Clients) -> None:
    anna = await client("anna")
    response = await anna.ask("POST", f"{T}/run")
    assert response.status_code == 403
    assert response.headers["x-ms-failure-cause"] == "gateway"
    assert response.json()["error"] == {
        "code": "AuthorizationFailed",
        "message": f"The client 'anna' with object id '{anna.id}' does not have authorization to perform "
        f"action 'Microsoft.VirtualMachineImages/imageTemplates/run/action' over scope '{T}' or the scope "
        "is invalid. If access was recently granted, please refresh your credentials.",
    }


async def test_without_a_token_nothing_is_answered_but_what_is_open(client: Clients) -> None:
    anna = await client("anna")
    stranger = Client(anna.http, "", "nobody")
    assert (await stranger.ask("GET", "/subscriptions")).status_code == 401
    assert (await stranger.ask("GET", "/metadata/endpoints")).status_code == 200


async def test_a_role_is_given_shown_listed_and_taken_away(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna")
    given = await owner.give(roles.CONTRIBUTOR, G, anna.id, description="for images")
    assert given.status_code == 201
    document = given.json()
    assert document["properties"]["roleDefinitionId"].startswith(f"{S}/providers/Microsoft.Authorization")
    assert document["properties"]["scope"] == G
    assert document["properties"]["principalType"] == "ServicePrincipal"
    assert document["properties"]["description"] == "for images"
    assert (await anna.ask("POST", f"{T}/run")).status_code == 200
    assert (await anna.ask("POST", f"{T.replace('images', 'other', 1)}/run")).status_code == 403

    assert (await owner.ask("GET", document["id"])).json() == document
    assert (await owner.ask("GET", document["id"].upper())).json() == document
    gone = await owner.ask("DELETE", document["id"])
    assert (gone.status_code, gone.json()) == (200, document)
    assert (await anna.ask("POST", f"{T}/run")).status_code == 403
    assert (await owner.ask("DELETE", document["id"])).status_code == 204
    assert (await owner.ask("GET", document["id"])).status_code == 404


async def test_who_contributes_gives_no_roles(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna")
    await owner.give(roles.CONTRIBUTOR, S, anna.id)
    assert (await anna.give(roles.OWNER, S, anna.id)).status_code == 403
    assert (await anna.ask("GET", f"{S}/{AUTHORIZATION}/roleAssignments")).status_code == 200


async def test_the_same_role_twice_is_a_conflict_and_the_same_request_twice_none(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna")
    first = (await owner.give(roles.READER, G, anna.id)).json()
    again = await owner.give(roles.READER, G.upper().replace("SUBSCRIPTIONS", "subscriptions"), anna.id)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "RoleAssignmentExists")
    assert first["name"] in again.json()["error"]["message"]

    body = {"properties": {**first["properties"], "description": "new"}}
    repeated = await owner.ask("PUT", first["id"], body)
    assert (repeated.status_code, repeated.json()["properties"]["description"]) == (200, "new")
    body["properties"]["principalId"] = owner.id
    changed = await owner.ask("PUT", first["id"], body)
    assert (changed.status_code, changed.json()["error"]["code"]) == (
        409,
        "RoleAssignmentUpdateNotPermitted",
    )


async def test_lists_have_what_is_above_and_below_as_the_filter_says(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna@local")
    at_group = (await owner.give(roles.READER, G, anna.id)).json()["id"]
    at_template = (await owner.give(roles.CONTRIBUTOR, T, anna.id)).json()["id"]
    at_other = (await owner.give(roles.READER, OTHER, anna.id)).json()["id"]
    (at_top,) = (
        one["id"] for one in await owner.values(f"/{AUTHORIZATION}/roleAssignments?$filter=atScope()")
    )

    async def ids(scope: str, text: str = "") -> set[str]:
        path = f"{scope}/{AUTHORIZATION}/roleAssignments?api-version=2022-04-01&$filter={text}"
        return {one["id"] for one in await owner.values(path)}

    assert await ids(G) == {at_top, at_group, at_template}
    assert await ids(G, "atScope()") == {at_top, at_group}
    assert await ids(S, f"principalId eq '{anna.id}'") == {at_group, at_template, at_other}
    assert await ids(T, f"atScope() and assignedTo('{anna.id.upper()}')") == {at_group, at_template}
    refused = await owner.ask("GET", f"{S}/{AUTHORIZATION}/roleAssignments?$filter=scope eq 'x'")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "UnsupportedQuery")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"principalId": "anna"}, "InvalidPrincipalId"),
        ({"principalId": str(uuid.uuid4())}, "PrincipalNotFound"),
        ({"principalType": "User"}, "UnmatchedPrincipalType"),
        ({"principalType": "Emperor"}, "InvalidPrincipalType"),
        ({"roleDefinitionId": "Reader"}, "InvalidRoleDefinitionId"),
        (
            {"roleDefinitionId": f"/{AUTHORIZATION}/roleDefinitions/{uuid.uuid4()}"},
            "RoleDefinitionDoesNotExist",
        ),
        ({"condition": "@Resource[x] StringEquals 'y'"}, "InvalidCondition"),
        ({"description": 5}, "InvalidRoleAssignmentDescription"),
    ],
)
async def test_an_assignment_that_means_nothing_is_refused(
    client: Clients, change: dict[str, object], code: str
) -> None:
    owner, anna = await client("owner"), await client("anna")
    response = await owner.give(roles.READER, G, anna.id, **change)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)


async def test_a_role_for_somebody_of_another_issuer_is_taken_with_its_type(client: Clients) -> None:
    owner = await client("owner")
    response = await owner.give(roles.READER, G, str(uuid.uuid4()), principalType="User")
    assert response.status_code == 201


async def test_a_role_from_above_has_the_id_that_roles_have_where_it_is_listed(client: Clients) -> None:
    owner = await client("owner")
    for scope in ("", S, G):
        listed = await owner.values(f"{scope}/{AUTHORIZATION}/roleDefinitions")
        names = {one["id"]: one["properties"]["roleName"] for one in listed}
        (above,) = await owner.values(f"{scope}/{AUTHORIZATION}/roleAssignments")
        assert names[above["properties"]["roleDefinitionId"]] == "Owner"


async def test_a_role_in_a_group_that_there_is_not_is_refused(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna")
    response = await owner.give(roles.READER, f"{S}/resourceGroups/none", anna.id)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "ResourceGroupNotFound")


async def test_the_last_owner_stays(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna")
    (only,) = await owner.values(f"/{AUTHORIZATION}/roleAssignments?$filter=atScope()")
    refused = await owner.ask("DELETE", only["id"])
    assert refused.json()["error"]["code"] == "CannotDeleteLastRbacAdminAssignment"
    await owner.give(roles.OWNER, S, anna.id)
    assert (await owner.ask("DELETE", only["id"])).status_code == 200


async def test_lists_of_the_subscription_show_only_what_the_caller_may_read(client: Clients) -> None:
    owner, anna, boris = await client("owner"), await client("anna"), await client("boris")
    await owner.give(roles.READER, G, anna.id)
    groups = f"{S}/resourceGroups"
    assert [one["name"] for one in await owner.values(groups)] == ["images", "other"]
    assert [one["name"] for one in await anna.values(groups)] == ["images"]
    assert (await boris.ask("GET", groups)).status_code == 403
    assert len(await anna.values("/subscriptions")) == 1
    assert await boris.values("/subscriptions") == []


async def test_a_custom_role_is_made_given_changed_and_removed(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna")
    role_id = str(uuid.uuid4())
    path = f"{G}/{AUTHORIZATION}/roleDefinitions/{role_id}"
    made = await owner.ask("PUT", path, {"properties": IMAGE_CREATION})
    assert made.status_code == 201
    assert made.json()["id"] == f"{S}/{AUTHORIZATION}/roleDefinitions/{role_id}"
    listing = f"{G}/{AUTHORIZATION}/roleDefinitions?$filter=roleName eq 'Image Creation'"
    assert await owner.values(listing) == [made.json()]
    assert await owner.values(listing.replace(G, S)) == []
    assert len(await owner.values(listing.replace(G, S) + " and atScopeAndBelow()")) == 1

    assert (await owner.give(role_id, S, anna.id)).json()["error"]["code"] == "RoleDefinitionDoesNotExist"
    given = await owner.give(role_id, G, anna.id)
    assert (await anna.ask("POST", f"{T}/run")).status_code == 403
    wider = {
        **IMAGE_CREATION,
        "permissions": [{"actions": ["Microsoft.VirtualMachineImages/imageTemplates/run/action"]}],
    }
    assert (await owner.ask("PUT", path, {"properties": wider})).status_code == 201
    assert (await anna.ask("POST", f"{T}/run")).status_code == 200

    assert (await owner.ask("DELETE", path)).json()["error"]["code"] == "RoleDefinitionHasAssignments"
    await owner.ask("DELETE", given.json()["id"])
    assert (await owner.ask("DELETE", path)).status_code == 200
    assert (await owner.ask("DELETE", path)).status_code == 204


async def test_a_role_is_defined_only_by_who_may_at_each_of_its_scopes(client: Clients) -> None:
    owner, anna = await client("owner"), await client("anna")
    await owner.give(roles.OWNER, G, anna.id)
    path = f"{G}/{AUTHORIZATION}/roleDefinitions/{uuid.uuid4()}"
    wide = {"properties": {**IMAGE_CREATION, "assignableScopes": [G, S]}}
    assert (await anna.ask("PUT", path, wide)).status_code == 403
    assert (await anna.ask("PUT", path, {"properties": IMAGE_CREATION})).status_code == 201
    # nor is one of another's narrowed
    await owner.ask("PUT", path, wide)
    assert (await anna.ask("PUT", path, {"properties": IMAGE_CREATION})).status_code == 403
    assert (await anna.ask("DELETE", path)).status_code == 403


async def test_built_in_roles_are_found_by_name_everywhere_and_stay(client: Clients) -> None:
    owner = await client("owner")
    for scope in ("", S, G, T):
        (found,) = await owner.values(f"{scope}/{AUTHORIZATION}/roleDefinitions?$filter=roleName eq 'reader'")
        assert found["name"] == roles.READER.id
        assert (await owner.ask("GET", found["id"])).json() == found
    path = f"{S}/{AUTHORIZATION}/roleDefinitions/{roles.READER.id}"
    assert (await owner.ask("PUT", path, {"properties": IMAGE_CREATION})).status_code == 403
    assert (await owner.ask("DELETE", path)).status_code == 403
    named = {"properties": {**IMAGE_CREATION, "roleName": "reader"}}
    taken = await owner.ask("PUT", f"{S}/{AUTHORIZATION}/roleDefinitions/{uuid.uuid4()}", named)
    assert taken.json()["error"]["code"] == "RoleDefinitionWithSameNameExists"


async def test_what_another_process_has_taken_away_is_not_had_for_long(
    access: Access, database: Database
) -> None:
    now = 100.0
    decisions = Decisions(access.assignments, access.definitions, clock=lambda: now)
    anna = Principal(id=str(uuid.uuid4()), name="Anna")
    with database.session() as session:
        access.assignments.grant(session, roles.READER, principal_id=anna.id, principal_type="User")
    assert (await decisions.grants()).allows(anna, "n/types/read", S.lower())

    open_access(database, SUBSCRIPTION).assignments.remove("", _only_name(database))
    now += KEPT_SECONDS
    assert not (await decisions.grants()).allows(anna, "n/types/read", S.lower())


async def test_with_a_group_its_roles_go(client: Clients, access: Access, database: Database) -> None:
    owner, anna = await client("owner"), await client("anna")
    for scope in (G, T, OTHER):
        await owner.give(roles.READER, scope, anna.id)
    await access.remove_all(ResourceId(SUBSCRIPTION, "IMAGES"))
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(RoleAssignmentRow)) == 2
    assert [one["name"] for one in await anna.values(f"{S}/resourceGroups")] == ["other"]


def _only_name(database: Database) -> str:
    with database.session() as session:
        return session.scalars(select(RoleAssignmentRow.key)).one().rpartition("/")[2]
