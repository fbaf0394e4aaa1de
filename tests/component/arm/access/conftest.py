"""The application with the gate and the providers of roles and identities, driven without a socket."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from vmwright.arm.access import roles
from vmwright.arm.access.access import Access, open_access
from vmwright.arm.access.gate import RoleGate
from vmwright.arm.access.principal import Principal
from vmwright.arm.http.answer import Answer, listed, ok
from vmwright.arm.http.app import Arm
from vmwright.arm.http.call import Call
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route, Router
from vmwright.arm.ids import ResourceId
from vmwright.arm.operations import Operations
from vmwright.arm.providers import authorization, graph, managed_identity
from vmwright.arm.service import Service
from vmwright.arm.store import GROUP_TYPE, ResourceStore
from vmwright.events import Events
from vmwright.images import open_images
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.service_tables import PrincipalRow

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
TENANT = "22222222-2222-2222-2222-222222222222"
S = f"/subscriptions/{SUBSCRIPTION}"
G = f"{S}/resourceGroups/images"
OTHER = f"{S}/resourceGroups/other"
AUTHORIZATION = "providers/Microsoft.Authorization"


class Names:
    """Takes the name in the place of a token for whom it is for."""

    def __init__(self, ids: dict[str, str]) -> None:
        self._ids = ids

    async def principal_of(self, authorization: str) -> Principal:
        name = authorization.removeprefix("Bearer ")
        if name not in self._ids:
            raise ArmError(401, "AuthenticationFailed", "Authentication failed.", is_gateways=True)
        return Principal(id=self._ids[name], name=name)


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody at the service."""

    http: httpx2.AsyncClient
    id: str
    name: str

    async def ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        address = path if "?" in path else f"{path}?api-version=2022-04-01"
        return await self.http.request(
            method, address, json=body, headers={"Authorization": f"Bearer {self.name}"}
        )

    async def values(self, path: str) -> list[Any]:
        response = await self.ask("GET", path)
        assert response.status_code == 200, response.text
        found: list[Any] = response.json()["value"]
        return found

    async def give(
        self, role: roles.Role | str, scope: str, to: str, **properties: object
    ) -> httpx2.Response:
        """Assign a role to a principal of an id."""
        role_id = role if isinstance(role, str) else role.id
        given = {
            "roleDefinitionId": f"{S}/{AUTHORIZATION}/roleDefinitions/{role_id}",
            "principalId": to,
            **properties,
        }
        return await self.ask(
            "PUT", f"{scope}/{AUTHORIZATION}/roleAssignments/{uuid.uuid4()}", {"properties": given}
        )


@pytest.fixture
def access(database: Database) -> Access:
    return open_access(database, SUBSCRIPTION)


@pytest.fixture
def service(settings: Settings, database: Database, events: Events) -> Service:
    store = ResourceStore(database)
    for group in (G, OTHER):
        store.put(
            ResourceId(SUBSCRIPTION, group.rpartition("/")[2]),
            kind=GROUP_TYPE,
            location="westus2",
            body={"properties": {"provisioningState": "Succeeded"}},
            tags={},
            api_version="2024-11-01",
            principal="",
        )
    return Service(
        settings=settings,
        database=database,
        images=open_images(settings, database),
        store=store,
        operations=Operations(database),
        events=events,
        subscription=SUBSCRIPTION,
        tenant=TENANT,
    )


def some_routes(service: Service) -> list[Route]:
    """What another provider has: the subscription, its groups, something to run."""

    async def subscription(call: Call) -> Answer:
        return listed([{"id": S, "subscriptionId": SUBSCRIPTION}])

    async def groups(call: Call) -> Answer:
        return listed([{"id": one, "type": GROUP_TYPE, "name": one.rpartition("/")[2]} for one in (G, OTHER)])

    async def done(call: Call) -> Answer:
        return ok({})

    template = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.VirtualMachineImages"
    return [
        Route(method="GET", pattern="/subscriptions", handler=subscription),
        Route(method="GET", pattern="/subscriptions/{subscription}/resourceGroups", handler=groups),
        Route(method="POST", pattern=f"{template}/imageTemplates/{{name}}/run", handler=done),
        Route(method="GET", pattern="/metadata/endpoints", handler=done, is_open=True),
    ]


@pytest.fixture
async def client(
    service: Service, access: Access, database: Database
) -> AsyncIterator[Callable[[str], Awaitable[Client]]]:
    """Gives the client of a name; `owner` is Owner of all there is, others begin with nothing."""
    ids: dict[str, str] = {}
    routes = [
        *some_routes(service),
        *authorization.routes(service, access),
        *graph.routes(access.directory),
        *managed_identity.routes(service, access),
    ]
    app = Arm(Router(routes), RoleGate(Names(ids), access.decisions))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost:8443") as http:

        async def of(name: str) -> Client:
            if name not in ids:
                ids[name] = str(uuid.uuid4())
                with database.session() as session:
                    session.add(_principal(ids[name], name))
                    if name == "owner":
                        access.assignments.grant(
                            session, roles.OWNER, principal_id=ids[name], principal_type="ServicePrincipal"
                        )
                access.decisions.changed()
            return Client(http, ids[name], name)

        yield of


def _principal(principal_id: str, name: str) -> PrincipalRow:
    from datetime import UTC, datetime

    is_user = "@" in name
    return PrincipalRow(
        id=principal_id,
        app_id=None if is_user else str(uuid.uuid4()),
        name=name,
        kind="User" if is_user else "ServicePrincipal",
        created_at=datetime.now(UTC),
    )
