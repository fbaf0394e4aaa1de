"""Deployment templates for tests: how they are written, and what is asked of their readings."""

from __future__ import annotations

import json
from typing import Any

from vmwright.template import ParameterFile, Readings, model, read_all
from vmwright.template.catalogue import Rule

ZERO = "00000000-0000-0000-0000-000000000000"


GROUP = f"/subscriptions/{ZERO}/resourceGroups/vmwright"


IMAGES = "Microsoft.VirtualMachineImages/imageTemplates"


SOURCE = {
    "type": "PlatformImage",
    "publisher": "Debian",
    "offer": "debian-12",
    "sku": "12",
    "version": "latest",
}


def image(name: str = "web", *, depends_on: list[str] | None = None, **changes: Any) -> dict[str, Any]:
    """An image template in a deployment."""
    properties = {
        "source": SOURCE,
        "customize": [{"type": "Shell", "name": "one", "inline": ["true"]}],
        "distribute": [{"type": "VHD", "runOutputName": "out"}],
    }
    resource = {
        "type": IMAGES,
        "apiVersion": "2020-02-14",
        "name": name,
        "location": "westus2",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"<imgBuilderId>": {}}},
        "dependsOn": depends_on or [],
        "properties": properties | changes.pop("properties", {}),
    }
    return resource | changes


def text_of(*resources: Any, **sections: Any) -> bytes:
    """A deployment template with a line for each value."""
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    listed = sections.pop("resources", list(resources))
    document = {"$schema": schema, "contentVersion": "1.0.0.0", **sections, "resources": listed}
    return json.dumps(document, indent=1).encode()


def read(data: bytes, *files: Any, for_build: bool = False, **values: Any) -> Readings:
    parameters = [
        ParameterFile(f"p{index}.json", json.dumps(file).encode()) for index, file in enumerate(files)
    ]
    return read_all(data, values=values, parameters=parameters, name="file", for_build=for_build)


def codes(readings: Readings) -> set[str]:
    return {problem.code for problem in readings.problems} - {
        Rule.PLACEHOLDER_DEFAULT.code,
        Rule.ARM_DEFAULT.code,
    }


def said(readings: Readings, rule: Rule) -> str:
    return " | ".join(f"{one.message} [{one.hint}]" for one in readings.problems if one.code == rule.code)


def built(readings: Readings) -> list[model.Template]:
    assert readings.errors == ()
    return [one.template for one in readings.readings if one.template is not None]
