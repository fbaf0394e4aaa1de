"""What clients say to the service about galleries and images, and what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.component.arm.asking import HOST, SUBSCRIPTION
from vmwright.arm.access.actions import Wanted
from vmwright.arm.access.decisions import refusal
from vmwright.arm.access.principal import Principal
from vmwright.arm.background import Background

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images"
PROVIDER = f"{GROUP}/providers/Microsoft.Compute"
GALLERY = f"{PROVIDER}/galleries/ours"
DEFINITION = f"{GALLERY}/images/web"
ONE = f"{DEFINITION}/versions/1.0.0"
IMAGE = f"{PROVIDER}/images/golden"
SITE = "https://disks.example.com/"
VERSION = "2024-03-03"
LOCATED: dict[str, Any] = {"location": "westus"}
OF_LINUX: dict[str, Any] = {
    "location": "westus",
    "properties": {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V1",
        "identifier": {"publisher": "us", "offer": "web", "sku": "1"},
    },
}


def importing(uri: str = f"{SITE}disk.vhd", **disk: Any) -> dict[str, Any]:
    """Return the body of a managed image that is made of a disk."""
    os_disk = {"osType": "Linux", "osState": "Generalized", "blobUri": uri, **disk}
    return {"location": "westus", "properties": {"storageProfile": {"osDisk": os_disk}}}


def version_of(storage: Mapping[str, Any], /, **publishing: Any) -> dict[str, Any]:
    """Return the body of a version with a storageProfile and a publishingProfile."""
    properties = {"storageProfile": storage, "publishingProfile": publishing}
    return {"location": "westus", "properties": properties}


@dataclass
class Rights:
    """Everybody may read everything but what is ``refused``; remembers what was asked."""

    refused: str = "nothing"
    asked: list[Wanted] = field(default_factory=list)

    async def require(self, principal: Principal, wanted: Wanted) -> None:
        self.asked.append(wanted)
        if wanted.scope.startswith(self.refused.lower()):
            raise refusal(principal, wanted.action, wanted.scope)


@dataclass(frozen=True)
class Talk:
    client: httpx2.AsyncClient
    background: Background

    async def __call__(
        self, method: str, path: str, body: Any = None, *, version: str = VERSION
    ) -> httpx2.Response:
        url = f"{path}{'&' if '?' in path else '?'}api-version={version}"
        return await self.client.request(method, url, json=body)

    async def get(self, path: str, *, version: str = VERSION) -> dict[str, Any]:
        answer = await self("GET", path, version=version)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def done(self, method: str, path: str, body: Any = None, *, version: str = VERSION) -> str:
        """Ask for a change, wait until it has ended, and return the message of its error, "" without one."""
        answer = await self(method, path, body, version=version)
        assert answer.status_code in {200, 201, 202}, answer.text
        await self.background.idle()
        return str((await self.ended(answer)).get("error", {}).get("message", ""))

    async def made(self, path: str, body: Any, *, version: str = VERSION) -> dict[str, Any]:
        """Make something, wait for it, and return what it is."""
        assert await self.done("PUT", path, body, version=version) == ""
        return await self.get(path, version=version)

    async def ended(self, answer: httpx2.Response) -> dict[str, Any]:
        """Return what the operation's address says."""
        address = answer.headers["Azure-AsyncOperation"]
        assert address.startswith(HOST)
        polled = await self.client.get(address)
        assert polled.status_code == 200
        found: dict[str, Any] = polled.json()
        return found

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
        """Return with what a request is refused: status, code, message."""
        answer = await self(method, path, body)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["message"]
