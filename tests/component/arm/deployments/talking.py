"""What clients say about deployments, and the templates that they deploy."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.component.arm.asking import HOST, SUBSCRIPTION, OpenGate
from vmwright.arm.access.principal import Principal
from vmwright.arm.background import Background
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images"
DEPLOYMENTS = f"{GROUP}/providers/Microsoft.Resources/deployments"
DEPLOYMENT = f"{DEPLOYMENTS}/first"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
TEMPLATES = "Microsoft.VirtualMachineImages/imageTemplates"
VERSION = "2025-04-01"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"


def template(*resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **sections}


def body(of: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    given = {name: {"value": value} for name, value in parameters.items()}
    return {"properties": {"mode": "Incremental", "template": of, "parameters": given}}


def identity(name: str = "builder", **more: Any) -> dict[str, Any]:
    return {
        "type": IDENTITIES,
        "apiVersion": "2023-01-31",
        "name": name,
        "location": "[resourceGroup().location]",
        **more,
    }


def image_template(name: str = "web", **more: Any) -> dict[str, Any]:
    return {
        "type": TEMPLATES,
        "apiVersion": "2022-02-14",
        "name": name,
        "location": "westus",
        "dependsOn": [f"[resourceId('{IDENTITIES}', 'builder')]"],
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": {f"[resourceId('{IDENTITIES}', 'builder')]": {}},
        },
        "properties": {
            "source": {
                "type": "PlatformImage",
                "publisher": "debian",
                "offer": "debian-12",
                "sku": "12",
                "version": "latest",
            },
            "customize": [{"type": "Shell", "name": "hello", "inline": ["echo hello"]}],
            "distribute": [{"type": "VHD", "runOutputName": "disk"}],
        },
        **more,
    }


@dataclass
class Gate(OpenGate):
    """Lets everybody in, but for the actions that it is told to refuse, by parts of their paths."""

    refused: list[tuple[str, str]] = field(default_factory=list)

    async def allow(self, route: Route, principal: Principal, method: str, parts: tuple[str, ...]) -> None:
        path = "/".join(parts)
        if any(method == one and part in path for one, part in self.refused):
            raise ArmError(403, "AuthorizationFailed", f"The client may not {method} {path}.")


@dataclass(frozen=True)
class Talk:
    client: httpx2.AsyncClient
    deploying: Background

    async def __call__(self, method: str, path: str, sent: Any = None) -> httpx2.Response:
        """Ask something; texts are sent as they are."""
        url = f"{path}{'&' if '?' in path else '?'}api-version={VERSION}"
        content = sent if isinstance(sent, str | None) else json.dumps(sent)
        return await self.client.request(method, url, content=content)

    async def deploy(self, sent: Any, path: str = DEPLOYMENT) -> dict[str, Any]:
        """Deploy something, wait until that is done, and return the deployment."""
        answer = await self("PUT", path, sent)
        assert answer.status_code in {200, 201}, answer.text
        await self.deploying.idle()
        return await self.get(path)

    async def get(self, path: str = DEPLOYMENT) -> dict[str, Any]:
        answer = await self("GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, sent: Any, path: str = f"{DEPLOYMENT}/validate") -> dict[str, Any]:
        """Return the error that something is refused with."""
        answer = await self("PUT" if path == DEPLOYMENT else "POST", path, sent)
        assert answer.status_code in {400, 403, 404, 409}, answer.text
        error: dict[str, Any] = answer.json()["error"]
        return error

    async def polled(self, answer: httpx2.Response) -> dict[str, Any]:
        """Return what the address of a deployment's operation says."""
        address = answer.headers["Azure-AsyncOperation"]
        assert address.startswith(HOST)
        found: dict[str, Any] = (await self.client.get(address)).json()
        return found


def states(operations: list[dict[str, Any]]) -> dict[str, str]:
    """Return how the operations of a deployment ended, by the names of what they made."""
    return {
        one["properties"]["targetResource"]["resourceName"]: one["properties"]["provisioningState"]
        for one in operations
    }
