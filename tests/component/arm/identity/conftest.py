"""The identity of a service behind its application, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from vmwright.arm.access.principal import ANYBODY, Principal
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.app import Arm
from vmwright.arm.http.call import Call
from vmwright.arm.http.routing import Route, Router
from vmwright.arm.identity import secret_hashes
from vmwright.arm.identity.authentication import Authenticator
from vmwright.arm.identity.identity import Identity, identity_of
from vmwright.arm.identity.principals import Kind, Made
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import Database

BASE = "https://localhost:8443"
TENANT = "22222222-2222-2222-2222-222222222222"
SCOPE = f"{BASE}//.default"


@dataclass(frozen=True)
class AuthenticatedOnly:
    """A gate that lets in whoever has a good token."""

    authenticator: Authenticator

    async def admit(self, route: Route, method: str, parts: tuple[str, ...], authorization: str) -> Principal:
        return ANYBODY if route.is_open else await self.authenticator.principal_of(authorization)

    async def shown(
        self, route: Route, principal: Principal, method: str, parts: tuple[str, ...], answer: Answer
    ) -> Answer:
        return answer


async def who(call: Call) -> Answer:
    caller = call.principal
    return ok({"id": caller.id, "name": caller.name, "app": caller.app_id, "roles": list(caller.roles)})


def application(identity: Identity) -> Arm:
    own = Route(method="GET", pattern="/subscriptions/{subscription}", handler=who)
    return Arm(Router([*identity.routes, own]), AuthenticatedOnly(identity.authenticator))


@dataclass(frozen=True)
class Client:
    http: httpx2.AsyncClient
    identity: Identity
    owner: Made

    async def post(self, path: str, **form: str) -> httpx2.Response:
        return await self.http.post(path, data=form)

    async def token(self, scope: str = SCOPE) -> str:
        answer = await self.post("/adfs/oauth2/token", **self.client_credentials(scope))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def client_credentials(self, scope: str = SCOPE) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.owner.account.app_id,
            "client_secret": self.owner.secret,
            "scope": scope,
        }

    async def call(self, token: str) -> httpx2.Response:
        return await self.http.get("/subscriptions/s", headers={"Authorization": f"Bearer {token}"})


def client_of(identity: Identity) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(application(identity)), base_url=BASE)


@pytest.fixture(autouse=True)
def cheap_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes a secret slow to try is a unit test's."""
    monkeypatch.setattr(secret_hashes, "LOG_N", 4)


@pytest.fixture
async def client(settings: Settings, database: Database, events: Events) -> AsyncIterator[Client]:
    identity = identity_of(settings, database, events)
    owner = identity.principals.first_owner(lambda session, account: None)
    assert owner is not None
    async with client_of(identity) as http:
        yield Client(http, identity, owner)


@pytest.fixture
def user(client: Client) -> str:
    """The name of a user whose password is ``pass word``."""
    return client.identity.principals.add("ada@example.org", Kind.USER, secret="pass word").name
