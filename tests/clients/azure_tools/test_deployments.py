"""ARM deployments of image templates, by az: validated, compared, made, shown, listed, exported, deleted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.azure_tools import templates
from tests.clients.azure_tools.conftest import Place
from tests.clients.azure_tools.templates import PROVIDER


@pytest.fixture
def file(place: Place, tmp_path: Path) -> Path:
    """A deployment template as people write them: with parameters, variables, expressions and a comment."""
    body = templates.body(place.subscription, place.group)
    body["location"] = "[resourceGroup().location]"
    body["tags"] = {"team": "[parameters('team')]"}
    resource: dict[str, Any] = {
        "type": f"{PROVIDER}/imageTemplates",
        "apiVersion": "2023-07-01",
        "name": "[variables('name')]",
        **body,
    }
    document = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"team": {"type": "string"}},
        "variables": {"name": "[concat('w', 'eb')]"},
        "resources": [resource],
        "outputs": {
            "id": {"type": "string", "value": f"[resourceId('{PROVIDER}/imageTemplates', variables('name'))]"}
        },
    }
    path = tmp_path / "deployment.json"
    path.write_text(f"// what people write into these files\n{json.dumps(document, indent=2)}\n")
    return path


@pytest.fixture
def named(place: Place) -> tuple[str, ...]:
    return ("-g", place.group, "-n", "images")


def test_a_template_is_deployed_and_what_was_done_is_told(
    place: Place, file: Path, named: tuple[str, ...]
) -> None:
    given = ("--template-file", file, "--parameters", "team=web")
    made = place.az.json("deployment", "group", "create", *named, *given)
    properties = made["properties"]
    assert properties["provisioningState"] == "Succeeded"
    assert properties["outputs"]["id"]["value"].lower() == place.id.lower()
    assert [one["id"].lower() for one in properties["outputResources"]] == [place.id.lower()]
    assert place.builder("show", *place.named)["tags"] == {"team": "web"}

    shown = place.az.json("deployment", "group", "show", *named)
    assert shown["properties"]["parameters"]["team"]["value"] == "web"
    assert [one["name"] for one in place.az.json("deployment", "group", "list", "-g", place.group)] == [
        "images"
    ]
    done = place.az.json("deployment", "operation", "group", "list", "-g", place.group, "-n", "images")
    states = [one["properties"]["provisioningState"] for one in done]
    assert set(states) == {"Succeeded"}
    exported = place.az.json("deployment", "group", "export", *named)
    assert exported["parameters"]["team"]["type"].lower() == "string"
    place.az("deployment", "group", "delete", *named)
    assert place.az.json("deployment", "group", "list", "-g", place.group) == []
    assert [one["name"] for one in place.builder("list", "-g", place.group)] == ["web"]


def test_a_template_is_validated_and_compared_and_nothing_is_made(
    place: Place, file: Path, named: tuple[str, ...]
) -> None:
    given = ("--template-file", file, "--parameters", "team=web")
    validated = place.az.json("deployment", "group", "validate", *named, *given)
    assert validated["properties"]["provisioningState"] == "Succeeded"
    compared = place.az.json("deployment", "group", "what-if", *named, *given, "--no-pretty-print")
    changes = {one["resourceId"].lower(): one["changeType"] for one in compared["changes"]}
    assert changes == {place.id.lower(): "Create", place.identity.lower(): "Ignore"}
    assert place.builder("list", "-g", place.group) == []


def test_a_template_that_cannot_be_deployed_tells_why(
    place: Place, file: Path, named: tuple[str, ...]
) -> None:
    file.write_text(file.read_text().replace("PlatformImage", "Floppy"))
    given = ("--template-file", file, "--parameters", "team=web")
    refused = place.az("deployment", "group", "create", *named, *given, code=1)
    assert "ValidationFailed" in refused.err
    assert "source" in refused.err
