from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import SHARED
from tests.unit.arm.image_templates.kept import resource_of
from vmwright.arm.providers.image_templates import bodies, shapes
from vmwright.arm.providers.image_templates.states import ProvisioningState

RECORDINGS = SHARED / "recordings" / "azure-cli-open.json"


def recorded_puts() -> list[dict[str, Any]]:
    if not RECORDINGS.exists():
        return []
    return [
        exchange
        for exchange in json.loads(RECORDINGS.read_text())
        if exchange["method"] == "PUT"
        and exchange["status"] == 201
        and exchange["path"].split("/")[-2] == "imageTemplates"
        and isinstance(exchange["request_body"], dict)
    ]


@pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings of the service beside the project")
def test_a_template_is_shown_as_the_service_showed_it() -> None:
    puts = recorded_puts()
    assert len(puts) > 100
    for exchange in puts:
        version, answered = exchange["api_version"], exchange["response_body"]
        sent = bodies.read_sent(exchange["request_body"], version=version, name=answered["name"])
        resource = resource_of(
            shapes.kept(sent, ProvisioningState.CREATING), name=answered["name"], version=version
        )
        ours = shapes.shown(resource, version, None)
        ours["id"] = answered["id"]
        assert without_differences(ours, version) == without_differences(answered, version), exchange[
            "recording"
        ]


def without_differences(body: dict[str, Any], version: str) -> dict[str, Any]:
    """Take out what differs on purpose, and what the service changed within an api-version."""
    body = json.loads(json.dumps(body))
    for distributor in body["properties"]["distribute"]:
        distributor.pop("versioning", None)  # the service answers null whatever was sent
    for step in body["properties"].get("customize", []):
        if version <= "2020-02-14":
            step.pop("runAsSystem", None)
            step.pop("runElevated", None)
    if version <= "2021-10-01":
        body["properties"]["source"].pop("exactVersion", None)
        network = body["properties"].get("vmProfile", {}).get("vnetConfig", {})
        network.pop("proxyVmSize", None)
    return body
