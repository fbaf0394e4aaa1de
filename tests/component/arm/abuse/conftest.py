"""A whole service with two groups, its owner, and others who have less."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.component.arm.asking import HOST
from vmwright.arm.access.roles import Role
from vmwright.arm.assembly import Assembled, assemble
from vmwright.arm.identity import secret_hashes
from vmwright.arm.identity.principals import Kind
from vmwright.events import Events
from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.database import Database

ANY_VERSION = "2022-04-01"
BUILDER_VERSION = "2025-10-01"
CONFIGURED = (
    "/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/x/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/real"
)


@dataclass(frozen=True)
class Somebody:
    """Somebody with a token."""

    http: httpx2.AsyncClient
    id: str
    name: str
    token: str

    async def ask(
        self, method: str, path: str, body: object = None, *, version: str = ANY_VERSION
    ) -> httpx2.Response:
        mark = "&" if "?" in path else "?"
        return await self.http.request(
            method,
            f"{path}{mark}api-version={version}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        )

    async def refused(
        self, method: str, path: str, body: object = None, *, version: str = ANY_VERSION
    ) -> Any:
        """Ask for what may not be done, and return the error."""
        answer = await self.ask(method, path, body, version=version)
        assert answer.status_code == 403, answer.text
        return answer.json()["error"]


@dataclass(frozen=True)
class House:
    """The service; ``a`` and ``b`` are the ids of its groups."""

    assembled: Assembled
    http: httpx2.AsyncClient
    owner: Somebody
    subscription: str

    @property
    def a(self) -> str:
        return f"{self.subscription}/resourceGroups/a"

    @property
    def b(self) -> str:
        return f"{self.subscription}/resourceGroups/b"

    async def give(self, role: Role, scope: str, principal_id: str) -> None:
        definition = f"{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role.id}"
        given = {"roleDefinitionId": definition, "principalId": principal_id}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        answer = await self.owner.ask("PUT", path, {"properties": given})
        assert answer.status_code == 201, answer.text

    async def with_role(self, role: Role, scope: str) -> Somebody:
        """Return somebody new who has a role."""
        name = f"{role.name}-{uuid.uuid4().hex[:6]}"
        account = self.assembled.identity.principals.add(name, Kind.SERVICE_PRINCIPAL, secret="a secret")
        await self.give(role, scope, account.id)
        return await log_in(self.http, account.app_id, "a secret", account.id, name)

    async def identity(self, group: str, name: str = "builder") -> tuple[str, str]:
        """Make a managed identity and return its id and its principal's."""
        path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        made = await self.owner.ask("PUT", path, {"location": "westus"})
        assert made.status_code == 201, made.text
        return path, made.json()["properties"]["principalId"]


async def log_in(http: httpx2.AsyncClient, app_id: str, secret: str, principal: str, name: str) -> Somebody:
    form = {"grant_type": "client_credentials", "client_id": app_id, "client_secret": secret}
    answer = await http.post("/adfs/oauth2/token", data=form)
    assert answer.status_code == 200, answer.text
    return Somebody(http, principal, name, answer.json()["access_token"])


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings) -> Settings:
    return Settings.model_validate(
        {"home": tmp_path / "home", "database": database_settings, "identities": {CONFIGURED: {}}}
    )


@pytest.fixture
async def house(
    settings: Settings, database: Database, events: Events, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(secret_hashes, "LOG_N", 4)
    assembled = assemble(settings, database, events)
    own = assembled.owner(settings.home / "service")
    assert own is not None
    assert own.secret is not None
    transport = httpx2.ASGITransport(app=assembled.app)
    async with assembled.running(), httpx2.AsyncClient(transport=transport, base_url=HOST) as http:
        account = assembled.identity.principals.find_login(own.app_id)
        assert account is not None
        owner = await log_in(http, own.app_id, own.secret.read_text().strip(), account.id, "owner")
        house = House(assembled, http, owner, f"/subscriptions/{settings.service.subscription}")
        for group in (house.a, house.b):
            assert (await owner.ask("PUT", group, {"location": "westus"})).status_code == 201
        yield house
