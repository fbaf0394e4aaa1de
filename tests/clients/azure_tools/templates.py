"""Templates as files and request bodies, for each of the tools."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from tests.clients.azure_tools.serving import SITE

PROVIDER = "Microsoft.VirtualMachineImages"
SOURCE = "Debian:debian-12:12:latest"
BODY: dict[str, Any] = {
    "location": "westus2",
    "tags": {"team": "web"},
    "properties": {
        "source": {
            "type": "PlatformImage",
            "publisher": "Debian",
            "offer": "debian-12",
            "sku": "12",
            "version": "latest",
        },
        "customize": [
            {"type": "Shell", "name": "setup", "scriptUri": f"{SITE}setup.sh"},
            {"type": "Shell", "name": "say", "inline": ["echo hello"]},
        ],
    },
}


def group_id(subscription: str, group: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def identity_id(subscription: str, group: str) -> str:
    return (
        f"{group_id(subscription, group)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
    )


def image_id(subscription: str, group: str) -> str:
    return f"{group_id(subscription, group)}/providers/Microsoft.Compute/images/golden"


def template_id(subscription: str, group: str, name: str = "web") -> str:
    return f"{group_id(subscription, group)}/providers/{PROVIDER}/imageTemplates/{name}"


def body(subscription: str, group: str) -> dict[str, Any]:
    """Return a template that makes a managed image, with the identity of its group."""
    document = copy.deepcopy(BODY)
    document["identity"] = {
        "type": "UserAssigned",
        "userAssignedIdentities": {identity_id(subscription, group): {}},
    }
    document["properties"]["distribute"] = [
        {
            "type": "ManagedImage",
            "runOutputName": "golden",
            "imageId": image_id(subscription, group),
            "location": "westus2",
        }
    ]
    return document


def file(folder: Path, subscription: str, group: str) -> Path:
    """Write a template as the quickstarts have it."""
    path = folder / "template.json"
    quickstart = {"type": f"{PROVIDER}/imageTemplates", "apiVersion": "2023-07-01", "dependsOn": []}
    path.write_text(json.dumps({**quickstart, **body(subscription, group)}))
    return path
