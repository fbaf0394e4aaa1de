"""What clients say to the service about image templates, and what stands in them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.component.arm.asking import HOST, SUBSCRIPTION
from vmwright.arm.background import Background

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images"
PROVIDER = "providers/Microsoft.VirtualMachineImages"
TEMPLATE = f"{GROUP}/{PROVIDER}/imageTemplates/web"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
DEFINITION = f"{GROUP}/providers/Microsoft.Compute/galleries/ours/images/web"
SITE = "https://scripts.example.com/"
VERSION = "2023-07-01"
SUBMITTED: dict[str, Any] = {
    "location": "westus",
    "tags": {"team": "web"},
    "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
    "properties": {
        "source": {
            "type": "PlatformImage",
            "publisher": "debian",
            "offer": "debian-12",
            "sku": "12",
            "version": "latest",
        },
        "customize": [{"type": "Shell", "name": "setup", "scriptUri": f"{SITE}setup.sh"}],
        "distribute": [{"type": "VHD", "runOutputName": "disk"}],
    },
}


def template(**properties: Any) -> dict[str, Any]:
    """Return a template with other properties."""
    document = copy.deepcopy(SUBMITTED)
    document["properties"].update(properties)
    return document


@dataclass(frozen=True)
class Talk:
    client: httpx2.AsyncClient
    background: Background

    async def __call__(
        self, method: str, path: str, body: Any = None, *, version: str = VERSION
    ) -> httpx2.Response:
        url = f"{path}{'&' if '?' in path else '?'}api-version={version}"
        return await self.client.request(method, url, json=body)

    async def put(self, body: Any = None, path: str = TEMPLATE, *, version: str = VERSION) -> dict[str, Any]:
        """Write a template, wait until that is done, and return how the operation ended."""
        answer = await self("PUT", path, SUBMITTED if body is None else body, version=version)
        assert answer.status_code in {200, 201}, answer.text
        await self.background.idle()
        return await self.ended(answer)

    async def get(self, path: str = TEMPLATE, *, version: str = VERSION) -> dict[str, Any]:
        answer = await self("GET", path, version=version)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ended(self, answer: httpx2.Response) -> dict[str, Any]:
        """Return what the operation's address says."""
        address = answer.headers["Azure-AsyncOperation"]
        assert address.startswith(HOST)
        polled = await self.client.get(address)
        assert polled.status_code == 200
        found: dict[str, Any] = polled.json()
        return found
