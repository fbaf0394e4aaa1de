"""What nobody may do directly, nobody does through a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.arm.abuse.conftest import BUILDER_VERSION, House, Somebody
from tests.component.arm.abuse.test_bodies import attack
from tests.component.arm.abuse.test_links import identified
from tests.component.arm.abuse.test_scopes import TEMPLATE
from vmwright.arm.access.roles import CONTRIBUTOR, OWNER

VERSION = "2024-11-01"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
ID = "9f4bd1ab-4d94-4d4e-8d0b-c9a5a0a7b7c1"
# nothing here is the database's
pytestmark = pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)


def deployment(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    template = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **more}
    return {"properties": {"mode": "Incremental", "template": template}}


async def failed(house: House, somebody: Somebody, body: dict[str, Any]) -> str:
    """Deploy into the group, and return all that is answered once it has failed."""
    state, told = await ended(house, somebody, body)
    assert state == "Failed", told
    return told


async def ended(house: House, somebody: Somebody, body: dict[str, Any]) -> tuple[str, str]:
    """Deploy into the group, and return how that ends, and all that is answered then."""
    path = f"{house.a}/providers/Microsoft.Resources/deployments/one"
    answer = await somebody.ask("PUT", path, body, version=VERSION)
    if answer.status_code in {400, 403}:
        return "Failed", answer.text
    assert answer.status_code in {200, 201}, answer.text
    while True:
        kept = await somebody.ask("GET", path, version=VERSION)
        state = kept.json()["properties"]["provisioningState"]
        if state in {"Succeeded", "Failed", "Canceled"}:
            return state, kept.text


def image_template(**more: Any) -> dict[str, Any]:
    kind = "Microsoft.VirtualMachineImages/imageTemplates"
    return {"type": kind, "apiVersion": BUILDER_VERSION, "name": "web", **TEMPLATE, **more}


async def test_an_identity_of_another_group_is_refused(house: House) -> None:
    identity, _ = await house.identity(house.b)
    writer = await house.with_role(CONTRIBUTOR, house.a)
    told = await failed(house, writer, deployment(image_template(identity=identified(identity))))
    assert "LinkedAuthorizationFailed" in told
    gone = f"{house.a}/providers/Microsoft.VirtualMachineImages/imageTemplates/web"
    assert (await house.owner.ask("GET", gone, version=BUILDER_VERSION)).status_code == 404


async def test_who_contributes_gives_no_role(house: House) -> None:
    writer = await house.with_role(CONTRIBUTOR, house.a)
    definition = f"{house.subscription}/providers/Microsoft.Authorization/roleDefinitions/{OWNER.id}"
    role = {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": ID,
        "properties": {"roleDefinitionId": definition, "principalId": writer.id},
    }
    assert "AuthorizationFailed" in await failed(house, writer, deployment(role))
    assert (await writer.ask("GET", house.b)).status_code == 403


@pytest.mark.parametrize("mode", ["inner", "outer"])
async def test_a_nested_deployment_reaches_no_other_group(house: House, mode: str) -> None:
    writer = await house.with_role(OWNER, house.a)
    inner = deployment(image_template())["properties"]
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": VERSION,
        "name": "inside",
        "resourceGroup": "b",
        "properties": {**inner, "expressionEvaluationOptions": {"scope": mode}},
    }
    assert "AuthorizationFailed" in await failed(house, writer, deployment(nested))
    there = await house.owner.ask("GET", f"{house.b}/resources")
    assert there.json()["value"] == []


@pytest.mark.parametrize(
    "form", ["reference('{id}', '2023-01-31')", "reference('{id}', '2023-01-31', 'Full').properties"]
)
async def test_nothing_of_another_group_is_read_by_an_expression(house: House, form: str) -> None:
    identity, principal = await house.identity(house.b)
    writer = await house.with_role(OWNER, house.a)
    outputs = {"seen": {"type": "object", "value": f"[{form.format(id=identity)}]"}}
    assert principal not in await failed(house, writer, deployment(outputs=outputs))
    assert (await ended(house, house.owner, deployment(outputs=outputs)))[0] == "Succeeded"


async def test_bodies_that_mean_harm(house: House) -> None:
    body = deployment(
        {"type": "Microsoft.Resources/deployments", "apiVersion": VERSION, "name": "x", "properties": {}},
        parameters={"a": {"type": "string", "defaultValue": "b"}},
        variables={"a": "[concat('a', parameters('a'))]"},
        outputs={"a": {"type": "string", "value": "[variables('a')]"}},
    )
    path = f"{house.a}/providers/Microsoft.Resources/deployments/one"
    await attack(house, "POST", f"{path}/validate", body, version=VERSION)
