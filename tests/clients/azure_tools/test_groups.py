"""Resource groups, resources and providers, by az."""

from __future__ import annotations

import json
import uuid

from tests.clients.azure_tools.conftest import Place
from tests.clients.azure_tools.serving import Az
from tests.clients.azure_tools.templates import PROVIDER, body


def test_a_group_is_made_shown_changed_and_deleted(az: Az) -> None:
    name = f"short-lived-{uuid.uuid4().hex[:8]}"
    made = az.json("group", "create", "-n", name, "-l", "westus2", "--tags", "a=b")
    assert (made["name"], made["location"], made["tags"]) == (name, "westus2", {"a": "b"})
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert az("group", "exists", "-n", name).out.strip() == "true"
    assert az.json("group", "show", "-n", name)["id"] == made["id"]
    assert name in [one["name"] for one in az.json("group", "list")]
    changed = az.json("group", "update", "-n", name, "--set", "tags.c=d")
    assert changed["tags"] == {"a": "b", "c": "d"}
    az("group", "delete", "-n", name, "-y")
    assert az("group", "exists", "-n", name).out.strip() == "false"
    assert "could not be found" in az("group", "show", "-n", name, code=3).err


def test_a_group_goes_with_all_that_is_in_it(template: Place) -> None:
    template.az("group", "delete", "-n", template.group, "-y")
    assert template.group not in [one["resourceGroup"] for one in template.builder("list")]


def test_what_is_in_a_group_is_listed(template: Place) -> None:
    found = {
        one["type"].lower(): one["name"] for one in template.az.json("resource", "list", "-g", template.group)
    }
    assert found == {
        f"{PROVIDER}/imageTemplates".lower(): "web",
        "Microsoft.ManagedIdentity/userAssignedIdentities".lower(): "builder",
    }


def test_providers_and_features_are_registered(az: Az) -> None:
    shown = az.json("provider", "show", "-n", PROVIDER)
    assert shown["registrationState"] == "Registered"
    versions = {one["resourceType"]: one["apiVersions"] for one in shown["resourceTypes"]}["imageTemplates"]
    assert versions == sorted(versions, reverse=True)
    assert {"2025-10-01", "2023-07-01", "2020-02-14"} <= set(versions)
    az("provider", "register", "-n", PROVIDER)
    feature = ("--namespace", PROVIDER, "--name", "Triggers")
    for command in ("register", "show"):
        assert az.json("feature", command, *feature)["properties"]["state"] == "Registered"


def test_a_template_is_a_resource(place: Place) -> None:
    document = json.dumps(body(place.subscription, place.group))
    kind = ("--resource-type", f"{PROVIDER}/imageTemplates")
    made = place.az.json("resource", "create", "--is-full-object", "-p", document, *place.named, *kind)
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert made["identity"]["userAssignedIdentities"][place.identity]["clientId"]
    shown = place.az.json("resource", "show", *place.named, *kind)
    assert shown["properties"] == made["properties"]
    place.az("resource", "delete", *place.named, *kind)
    assert place.az.json("resource", "list", *kind, "-g", place.group) == []


def test_any_path_is_asked_for(place: Place) -> None:
    path = f"/subscriptions/{place.subscription}/resourcegroups/{place.group}?api-version=2021-04-01"
    assert place.az.json("rest", "--method", "get", "--url", path)["name"] == place.group
