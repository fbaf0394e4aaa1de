"""Microsoft.Resources as a whole, on an empty database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.component.arm.asking import SUBSCRIPTION, OpenGate, asking, new_service
from vmwright.arm.background import Background
from vmwright.arm.contents import Listing, Removal
from vmwright.arm.http.app import Arm
from vmwright.arm.http.routing import Router
from vmwright.arm.ids import ResourceId
from vmwright.arm.providers import aliases, groups, registrations, resources, subscriptions
from vmwright.arm.rules import Rules
from vmwright.arm.service import Service
from vmwright.arm.store import Resource
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import Database


@dataclass
class Provider:
    """Another provider: removes its things when it is let, and lists those that it keeps itself."""

    removed: list[str] = field(default_factory=list)
    refuses: Exception | None = None
    own: list[Resource] = field(default_factory=list)

    async def remove_all(self, group: ResourceId) -> None:
        if self.refuses:
            raise self.refuses
        self.removed.append(group.key)

    async def resources(self, subscription: str, group: str | None) -> list[Resource]:
        return list(self.own)


def arm_for(service: Service, background: Background, provider: Provider) -> Arm:
    removals: list[Removal] = [provider]
    listings: list[Listing] = [provider]
    routes = [
        *subscriptions.routes(service),
        *groups.routes(service, background, removals),
        *registrations.routes(service),
        *resources.routes(service, listings),
        *aliases.routes(service),
    ]
    return Arm(Router(routes), OpenGate(), rules=Rules(SUBSCRIPTION))


@pytest.fixture
def service(settings: Settings, database: Database, events: Events) -> Service:
    return new_service(settings, database, events)


@pytest.fixture
def background(service: Service) -> Background:
    return Background(service.operations, service.events)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def client(
    service: Service, background: Background, provider: Provider
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose requests have an api-version; deletions wait for ``background.running``."""
    async with asking(arm_for(service, background, provider)) as client:
        client.params = httpx2.QueryParams({"api-version": "2024-11-01"})
        yield client
