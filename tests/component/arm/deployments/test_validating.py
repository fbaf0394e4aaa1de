"""What is wrong with a deployment is said before anything of it is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.component.arm.asking import SUBSCRIPTION
from tests.component.arm.deployments.talking import (
    DEPLOYMENT,
    GROUP,
    IDENTITIES,
    TEMPLATES,
    Talk,
    body,
    identity,
    image_template,
    template,
)
from vmwright.settings import DatabaseSettings, Settings

SITE = "https://templates.example.com/"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder behind SITE."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings, site: Path) -> Settings:
    return Settings(home=tmp_path / "home", database=database_settings, mirrors={SITE: f"file://{site}/"})


async def test_validation_tells_what_would_be_made(talk: Talk) -> None:
    answer = await talk("POST", f"{DEPLOYMENT}/validate", body(template(identity())))
    assert answer.status_code == 200
    properties = answer.json()["properties"]
    assert properties["provisioningState"] == "Succeeded"
    made = f"{GROUP}/providers/{IDENTITIES}/builder"
    assert properties["validatedResources"] == [{"id": made}]
    assert (await talk("HEAD", DEPLOYMENT)).status_code == 404
    assert (await talk.client.get(f"{made}?api-version=2023-01-31")).status_code == 404


async def test_template_as_the_command_line_of_azure_splices_it_in(talk: Talk) -> None:
    of = """{
      // made by hand
      "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
      "contentVersion": "1.0.0.0", /* the first
      one */
      "parameters": {"name": {"type": "string", "defaultValue": "x", "metadata": {"description": "two
lines"}}},
      "resources": [{"type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31",
        "name": "[parameters('name')]", "location": "westus"}]
    }"""
    sent = '{"properties": {"parameters": {"name": {"value": "built"}}, "mode": "Incremental", template:' + of
    answer = await talk("POST", f"{DEPLOYMENT}/validate", sent + "}}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["properties"]["validatedResources"][0]["id"].endswith("/built")


@pytest.mark.parametrize(
    ("sections", "given", "told"),
    [
        ({"parameters": {"a": {"type": "string"}}}, {}, "The parameter `a` has no value"),
        ({"parameters": {"a": {"type": "int"}}}, {"a": "x"}, "The parameter `a` is a text"),
        (
            {"parameters": {"a": {"type": "string", "allowedValues": ["x", "y"]}}},
            {"a": "z"},
            "has the value `z`, which is not allowed",
        ),
        ({}, {"b": 1}, "The template parameters 'b' in the parameters file are not valid"),
        ({"outputs": {"x": {"type": "string", "value": "[variables('no')]"}}}, {}, "no variable `no`"),
        ({"outputs": {"x": {"type": "string", "value": "[lisKeys('a')]"}}}, {}, "no function lisKeys()"),
    ],
)
async def test_wrong_templates_are_told_what_is_wrong(
    talk: Talk, sections: dict[str, Any], given: dict[str, Any], told: str
) -> None:
    error = await talk.refused(body(template(identity(), **sections), **given))
    assert error["code"] == "InvalidTemplate"
    assert told in error["message"]


async def test_place_of_what_is_wrong_is_told(talk: Talk) -> None:
    text = json.dumps(template(identity("[parameters('no')]")), indent=1)
    error = await talk.refused('{"properties": {"mode": "Incremental", template:' + text + "}}")
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "parameters('no')" in one)
    assert f"At line {line} and column " in error["message"]
    assert error["target"] == "resources[0].name"


@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [
        ('{"properties": {', "InvalidRequestContent", "it ends too early"),
        ("[]", "InvalidRequestContent", "a list"),
        ("{}", "InvalidRequestContent", "'properties' is missing"),
        ({"properties": {"mode": "Incremental"}}, "InvalidTemplate", "one of 'template' and 'templateLink'"),
        ({"properties": {"mode": "Complete", "template": {}}}, "InvalidDeploymentMode", "'Complete' deletes"),
        ({"properties": {"mode": "x", "template": {}}}, "InvalidDeploymentMode", "is not 'Incremental'"),
        (
            {"properties": {"mode": "Incremental", "template": {"resources": []}}},
            "InvalidTemplate",
            "Required property '$schema' not found",
        ),
        ('{"properties": {"mode": "\\ud800"}}', "InvalidRequestContent", "halves of characters"),
        ('{"properties": {"mode": 1e999}}', "InvalidRequestContent", "numbers without end"),
        ({"properties": {"mode": "Incremental", "template": 1}}, "InvalidRequestContent", "not an object"),
        (
            {"properties": {**body(template())["properties"], "parameters": {"a": 1}}},
            "InvalidRequestContent",
            "not of the form",
        ),
        (
            {"properties": {**body(template())["properties"], "parameters": {"a": {}}}},
            "InvalidDeploymentParameterValue",
            "'a' is null",
        ),
    ],
)
async def test_bodies_that_are_no_deployments_are_refused(
    talk: Talk, sent: Any, code: str, told: str
) -> None:
    error = await talk.refused(sent)
    assert (error["code"], told in error["message"]) == (code, True), error


async def test_secrets_in_key_vaults_are_refused_with_a_way_out(talk: Talk) -> None:
    sent = body(template(parameters={"password": {"type": "securestring"}}))
    reference = {"keyVault": {"id": f"{GROUP}/providers/Microsoft.KeyVault/vaults/v"}, "secretName": "p"}
    sent["properties"]["parameters"] = {"password": {"reference": reference}}
    error = await talk.refused(sent)
    assert error["code"] == "KeyVaultParameterReferenceSecretRetrieveFailed"
    assert '{"value": ...}' in error["message"]


async def test_types_that_this_service_has_not_are_refused_all_at_once(talk: Talk) -> None:
    network = {"apiVersion": "2021-02-01", "name": "net", "location": "westus"}
    of = template(
        {**network, "type": "Microsoft.Network/virtualNetworks"},
        {**network, "type": "Microsoft.Resources/deploymentScripts"},
        identity(),
    )
    error = await talk.refused(body(of), DEPLOYMENT)
    assert error["code"] == "InvalidTemplateDeployment"
    assert [one["code"] for one in error["details"]] == ["InvalidResourceType"] * 2
    first, second = (one["message"] for one in error["details"])
    assert first.startswith(
        "The resource type 'virtualNetworks' could not be found in the namespace 'Microsoft.Network'"
    )
    assert "This service has Microsoft.Authorization/roleAssignments, " in first
    assert TEMPLATES in first
    assert "Deployment scripts run in containers of the cloud" in second
    assert (await talk("HEAD", DEPLOYMENT)).status_code == 404


async def test_image_templates_are_checked_before_they_are_made(talk: Talk) -> None:
    wrong = image_template(properties={"source": {"type": "PlatformImage"}, "distribute": []})
    error = await talk.refused(body(template(wrong, identity())))
    (detail,) = error["details"]
    assert detail["code"] == "ValidationFailed"
    assert detail["target"] == f"{GROUP}/providers/{TEMPLATES}/web"


async def test_api_version_that_a_type_has_not_is_refused(talk: Talk) -> None:
    error = await talk.refused(body(template(image_template(apiVersion="2017-01-01"), identity())))
    assert [one["code"] for one in error["details"]] == ["InvalidResourceType"]


async def test_template_and_parameters_are_fetched_by_their_links(talk: Talk, site: Path) -> None:
    of = template(identity("[parameters('name')]"), parameters={"name": {"type": "string"}})
    (site / "main.json").write_text(json.dumps(of))
    (site / "values.json").write_text(json.dumps({"parameters": {"name": {"value": "linked"}}}))
    links = {
        "templateLink": {"uri": f"{SITE}main.json", "contentVersion": "1.0.0.0"},
        "parametersLink": {"uri": f"{SITE}values.json?sig=secret"},
    }
    sent = {"properties": {"mode": "Incremental", **links}}
    properties = (await talk("POST", f"{DEPLOYMENT}/validate", sent)).json()["properties"]
    assert properties["validatedResources"][0]["id"].endswith("/linked")
    assert properties["templateLink"] == {"uri": f"{SITE}main.json"}
    assert properties["parametersLink"] == {"uri": f"{SITE}values.json"}


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ({"uri": "https://127.0.0.1/main.json"}, "Unable to download deployment content"),
        ({"uri": "file:///etc/passwd"}, "Unable to download deployment content"),
        ({"id": "/subscriptions/x/templateSpecs/y"}, "'templateLink.id' is not known to this service"),
        ({}, "has no 'uri'"),
    ],
)
async def test_links_that_lead_nowhere_are_refused(talk: Talk, link: dict[str, str], told: str) -> None:
    error = await talk.refused({"properties": {"mode": "Incremental", "templateLink": link}})
    assert (error["code"], told in error["message"]) == ("InvalidContentLink", True), error


async def test_deployment_to_a_group_that_is_not_there_is_refused(talk: Talk) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/no/providers/Microsoft.Resources/deployments/x"
    error = await talk.refused(body(template(identity())), f"{path}/validate")
    assert error["code"] == "ResourceGroupNotFound"


async def test_template_for_another_scope_is_refused(talk: Talk) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/deployments/x/validate"
    error = await talk.refused({**body(template()), "location": "westus"}, path)
    assert "not that of a deployment to a subscription" in error["message"]


HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 1.5, "", [], {}, ["a"], "../x", "a/b", "x" * 300, "\u0000"),
    *("[reference('x')]", "[copyIndex()]", "[listKeys('a', 'b')]", "[deployment().properties.no]"),
    {"copy": [{"name": "l", "count": 3, "input": "[copyIndex('l')]"}]},
)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: json.dumps(value)[:40])
async def test_no_template_makes_the_service_fail(talk: Talk, value: Any) -> None:
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inner",
        "properties": {"mode": "Incremental", "template": template(identity("inside"))},
    }
    of = template(identity(), nested, parameters={"a": {"type": "string", "defaultValue": "x"}})
    for key in (*identity(), "properties", "copy", "condition", "dependsOn", "scope"):
        for resource in ({**identity(), key: value}, {**nested, key: value}):
            changed = {**of, "resources": [resource]}
            answer = await talk("POST", f"{DEPLOYMENT}/validate", body(changed))
            assert answer.status_code in {200, 400, 403, 404}, (key, answer.text)
    for section in ("parameters", "variables", "resources", "outputs", "functions", "$schema"):
        answer = await talk("POST", f"{DEPLOYMENT}/validate", body({**of, section: value}))
        assert answer.status_code in {200, 400}, (section, answer.text)
