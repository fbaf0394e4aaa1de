"""A service with Microsoft.Compute only, a resource group, and the web site with a disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.component.arm.asking import SOMEBODY, arm_of, asking, new_service
from tests.component.arm.compute.talking import (
    DEFINITION,
    GALLERY,
    GROUP,
    LOCATED,
    OF_LINUX,
    SITE,
    Rights,
    Talk,
)
from tests.component.sources.conftest import make_disk
from vmwright.arm import ids
from vmwright.arm.background import Background
from vmwright.arm.providers import compute
from vmwright.arm.service import Service
from vmwright.arm.store import GROUP_TYPE
from vmwright.events import Events
from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.database import Database


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk of Linux that BIOS would start."""
    return await make_disk(tmp_path_factory.mktemp("disk") / "disk.raw", name="Tiny 1")


@pytest.fixture
def site(tmp_path: Path, disk: Path) -> Path:
    """The folder behind SITE."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "disk.vhd").symlink_to(disk)
    return folder


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings, site: Path) -> Settings:
    return Settings(home=tmp_path / "home", database=database_settings, mirrors={SITE: f"file://{site}/"})


@pytest.fixture
def service(settings: Settings, database: Database, events: Events) -> Service:
    service = new_service(settings, database, events)
    service.store.put(
        ids.parse(GROUP),
        kind=GROUP_TYPE,
        location="westus",
        body={"properties": {"provisioningState": "Succeeded"}},
        tags={},
        api_version="2021-04-01",
        principal=SOMEBODY.id,
    )
    return service


@pytest.fixture
def background(service: Service) -> Background:
    return Background(service.operations, service.events)


@pytest.fixture
def rights() -> Rights:
    return Rights()


@pytest.fixture
async def talk(service: Service, background: Background, rights: Rights) -> AsyncIterator[Talk]:
    """A client of a service that runs."""
    arm = arm_of(compute.routes(service, background, rights))
    async with background.running(), asking(arm) as client:
        yield Talk(client, background)


@pytest.fixture
async def defined(talk: Talk) -> Talk:
    """The client, once there is a gallery with a definition for Linux of generation 1."""
    await talk.made(GALLERY, LOCATED)
    await talk.made(DEFINITION, OF_LINUX)
    return talk
