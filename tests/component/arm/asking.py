"""Asking the service without a socket, and without tokens: everybody is let in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable

import httpx2
from starlette.types import ASGIApp

from vmwright.arm.access.access import Access, open_access
from vmwright.arm.access.principal import Principal
from vmwright.arm.http.answer import Answer
from vmwright.arm.http.app import Arm
from vmwright.arm.http.routing import Route, Router
from vmwright.arm.operations import Operations
from vmwright.arm.service import Service
from vmwright.arm.store import ResourceStore
from vmwright.events import Events
from vmwright.images import open_images
from vmwright.settings import Settings
from vmwright.state.database import Database

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
TENANT = "22222222-2222-2222-2222-222222222222"
SOMEBODY = Principal(id="33333333-3333-3333-3333-333333333333", name="somebody", roles=("Owner",))
HOST = "https://localhost:8443"


class OpenGate:
    """Lets everybody in, as the same one."""

    async def admit(self, route: Route, method: str, parts: tuple[str, ...], authorization: str) -> Principal:
        return SOMEBODY

    async def shown(
        self, route: Route, principal: Principal, method: str, parts: tuple[str, ...], answer: Answer
    ) -> Answer:
        return answer


def access_of(service: Service) -> Access:
    return open_access(service.database, SUBSCRIPTION)


def new_service(settings: Settings, database: Database, events: Events) -> Service:
    return Service(
        settings=settings,
        database=database,
        images=open_images(settings, database),
        store=ResourceStore(database),
        operations=Operations(database),
        events=events,
        subscription=SUBSCRIPTION,
        tenant=TENANT,
    )


@contextlib.asynccontextmanager
async def asking(arm: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=arm), base_url=HOST) as client:
        yield client


def arm_of(routes: Iterable[Route]) -> Arm:
    return Arm(Router(routes), OpenGate())
