"""Templates evaluated where resources are really made: what they refer to comes when it is there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from vmwright.template import document
from vmwright.template.deployment import Deployment, Host, Scope, evaluate
from vmwright.template.deployment.faults import OpenValueError
from vmwright.template.deployment.values import Value

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
OF_SUBSCRIPTIONS = (
    "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"
)
KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"
NESTED = "Microsoft.Resources/deployments"


@dataclass(frozen=True)
class Making:
    """Knows what is made, by name, and what is there besides."""

    made_ones: Mapping[str, Value] = field(default_factory=dict)
    others: Mapping[tuple[str, str], Value] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    is_partial: bool = False

    def at(self, scope: Scope) -> Host:
        return dataclasses.replace(self, scope=scope)

    def new_guid(self) -> str:
        return "no guid"

    def reference(self, resource_id: str, *, version: str, full: bool) -> Value:
        if (resource_id, version) not in self.others:
            raise OpenValueError
        return self.others[resource_id, version]

    def made(self, resource_id: str, *, full: bool) -> Value:
        name = resource_id.rpartition("/")[2]
        if name not in self.made_ones:
            raise OpenValueError
        return self.made_ones[name]

    def listing(self, function: str, arguments: Sequence[Value]) -> Value:
        raise AssertionError(function)


def one(name: str, **more: Any) -> dict[str, Any]:
    return {"type": KIND, "apiVersion": "2023-01-31", "name": name, **more}


def evaluated(host: Host, *resources: dict[str, Any], schema: str = SCHEMA, **sections: Any) -> Deployment:
    template = {"$schema": schema, "contentVersion": "1.0.0.0", "resources": resources, **sections}
    tree, _ = document.parse(json.dumps(template).encode())
    assert tree is not None
    found = evaluate(tree, host=host, given={}, for_build=True)
    assert [problem for problem in found.problems if problem.is_error] == []
    return found


def test_reference_to_what_is_not_made_yet_is_open_and_orders_what_is_made() -> None:
    later = one("later", tags={"of": "[reference('first').principalId]"})
    before = evaluated(Making(), later, one("first"))
    assert [resource.name for resource in before.resources] == ["first", "later"]
    assert before.resources[1].open_paths == {"resources[0].tags.of"}
    after = evaluated(Making({"first": {"principalId": "p"}}), later, one("first"))
    assert after.resources[1].body["tags"] == {"of": "p"}
    assert not after.resources[1].open_paths


def test_outputs_are_open_until_what_they_refer_to_is_made() -> None:
    outputs = {"p": {"type": "string", "value": "[reference('first').principalId]"}}
    assert evaluated(Making(), one("first"), outputs=outputs).open_outputs == {"p"}
    found = evaluated(Making({"first": {"principalId": "p"}}), one("first"), outputs=outputs)
    assert (found.outputs, found.open_outputs) == ({"p": {"type": "string", "value": "p"}}, frozenset())


def test_outputs_of_nested_deployments_wait_for_what_is_in_them() -> None:
    inner = {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "resources": [one("inside")],
        "outputs": {"id": {"type": "string", "value": "[reference('inside').clientId]"}},
    }
    nested = {
        "type": NESTED,
        "apiVersion": "2022-09-01",
        "name": "nested",
        "properties": {"expressionEvaluationOptions": {"scope": "inner"}, "template": inner},
    }
    user = one("user", tags={"of": "[reference('nested').outputs.id.value]"})
    before = evaluated(Making(), user, nested)
    assert [resource.name for resource in before.resources] == ["inside", "user"]
    assert before.resources[1].open_paths
    after = evaluated(Making({"inside": {"clientId": "c"}}), user, nested)
    assert after.resources[1].body["tags"] == {"of": "c"}
    (deployment,) = after.nested
    assert deployment.outputs.values == {"id": {"type": "string", "value": "c"}}
    assert after.resources[0].within == deployment.resource.id
    assert after.resources[1].within == ""


def test_reference_asks_for_the_api_version_that_it_names() -> None:
    there = f"{Scope().group_id}/providers/{KIND}/there"
    value = f"[reference(resourceId('{KIND}', 'there'), '2018-11-30').principalId]"
    host = Making(others={(there, "2018-11-30"): {"principalId": "p"}})
    assert evaluated(host, one("a", tags={"of": value})).resources[0].body["tags"] == {"of": "p"}


def test_values_of_parameters_are_told_without_secrets() -> None:
    parameters = {
        "a": {"type": "int", "defaultValue": 1},
        "b": {"type": "secureString", "defaultValue": "hidden"},
    }
    found = evaluated(Making(), parameters=parameters)
    assert found.values == {"a": {"type": "int", "value": 1}, "b": {"type": "securestring"}}


@pytest.mark.parametrize("scope", [f"[resourceId('{KIND}', 'a')]", f"{KIND}/a"])
def test_resource_on_another_one_has_its_id_below_that(scope: str) -> None:
    role = {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": "r",
        "scope": scope,
    }
    below = f"{Scope().group_id}/providers/{KIND}/a"
    found = evaluated(Making(), role)
    assert found.resources[0].id == f"{below}/providers/Microsoft.Authorization/roleAssignments/r"


def test_nested_deployment_is_in_the_group_that_it_goes_to() -> None:
    nested = {
        "type": NESTED,
        "apiVersion": "2022-09-01",
        "name": "nested",
        "resourceGroup": "other",
        "properties": {"template": {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [one("a")]}},
    }
    found = evaluated(Making(scope=Scope(resource_group="")), nested, schema=OF_SUBSCRIPTIONS)
    other = f"/subscriptions/{Scope().subscription_id}/resourceGroups/other/providers"
    assert found.nested[0].resource.id == f"{other}/{NESTED}/nested"
    assert found.resources[0].id == f"{other}/{KIND}/a"


def test_deployment_to_a_subscription_has_no_resource_group() -> None:
    tree, _ = document.parse(
        json.dumps(
            {
                "$schema": OF_SUBSCRIPTIONS,
                "resources": [],
                "outputs": {"x": {"type": "string", "value": "[resourceGroup().id]"}},
            }
        ).encode()
    )
    assert tree is not None
    found = evaluate(tree, host=Making(scope=Scope(resource_group="")), given={}, for_build=True)
    assert "goes to a subscription" in found.problems[0].message
