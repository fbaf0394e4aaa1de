"""A service that runs, with one resource group."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.component.arm.asking import asking, new_service
from tests.component.arm.deployments.standing import Sources, assembled
from tests.component.arm.deployments.talking import GROUP, Gate, Talk
from vmwright.arm import ids
from vmwright.arm.access.access import Access, open_access
from vmwright.arm.service import Service
from vmwright.arm.store import GROUP_TYPE
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import Database


@pytest.fixture
def service(settings: Settings, database: Database, events: Events) -> Service:
    service = new_service(settings, database, events)
    service.store.put(
        ids.parse(GROUP),
        kind=GROUP_TYPE,
        location="westus",
        body={"properties": {"provisioningState": "Succeeded"}},
        tags={"team": "images"},
        api_version="2021-04-01",
        principal="",
    )
    return service


@pytest.fixture
def sources() -> Sources:
    return Sources()


@pytest.fixture
def access(service: Service) -> Access:
    return open_access(service.database, service.subscription)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def talk(service: Service, access: Access, sources: Sources, gate: Gate) -> AsyncIterator[Talk]:
    """A client of a service that runs."""
    one = assembled(service, access, sources, gate)
    async with one.background.running(), one.deploying.running(), asking(one.arm) as client:
        yield Talk(client, one.deploying)
