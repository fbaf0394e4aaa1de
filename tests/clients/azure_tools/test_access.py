"""Identities and roles, by az: made, given to somebody, obeyed."""

from __future__ import annotations

import json
import uuid

from tests.clients.azure_tools.conftest import Place
from tests.clients.azure_tools.serving import Az
from tests.clients.azure_tools.templates import group_id
from tests.conftest import ROOT


def test_an_identity_is_made_shown_and_deleted(az: Az, group: str) -> None:
    named = ("-g", group, "-n", "builder")
    made = az.json("identity", "create", *named)
    assert {made[name] for name in ("tenantId", "principalId", "clientId")} >= {made["clientId"]}
    assert az.json("identity", "show", *named)["principalId"] == made["principalId"]
    assert [one["name"] for one in az.json("identity", "list", "-g", group)] == ["builder"]
    az("identity", "delete", *named)
    az("identity", "show", *named, code=3)


def test_a_role_of_the_docs_is_made_given_and_taken_back(place: Place) -> None:
    az, scope = place.az, group_id(place.subscription, place.group)
    name = f"Image creation {uuid.uuid4().hex[:8]}"
    example = json.loads((ROOT / "examples" / "image-creation-role.json").read_text())
    role = {**example, "Name": name, "AssignableScopes": [scope]}
    made = az.json("role", "definition", "create", "--role-definition", json.dumps(role))
    assert (made["roleName"], made["roleType"]) == (name, "CustomRole")
    named = ("-n", name, "--scope", scope)
    assert [one["roleName"] for one in az.json("role", "definition", "list", *named)] == [name]

    identity = az.json("identity", "show", "-g", place.group, "-n", "builder")
    given = az.json(
        "role", "assignment", "create", "--assignee", identity["clientId"], "--role", name, "--scope", scope
    )
    assert (given["principalId"], given["scope"]) == (identity["principalId"], scope)
    (listed,) = az.json("role", "assignment", "list", "--scope", scope)
    assert (listed["roleDefinitionName"], listed["principalId"]) == (name, identity["principalId"])
    az("role", "assignment", "delete", "--ids", given["id"])
    assert az.json("role", "assignment", "list", "--scope", scope) == []
    az("role", "definition", "delete", *named)
    assert az.json("role", "definition", "list", *named) == []


def test_a_role_is_given_by_the_id_of_a_principal(place: Place) -> None:
    az, scope = place.az, group_id(place.subscription, place.group)
    identity = az.json("identity", "show", "-g", place.group, "-n", "builder")
    given = az.json(
        *("role", "assignment", "create", "--role", "Contributor", "--scope", scope),
        *("--assignee-object-id", identity["principalId"]),
        *("--assignee-principal-type", "ServicePrincipal"),
    )
    assert given["principalType"] == "ServicePrincipal"
    assert given["roleDefinitionId"].endswith("b24988ac-6180-42a0-ab88-20f7382dd24c")


def test_the_owner_is_the_owner(az: Az) -> None:
    roles = [one["roleDefinitionName"] for one in az.json("role", "assignment", "list", "--all")]
    assert "Owner" in roles
