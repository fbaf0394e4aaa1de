"""A service with image templates only, its group and identity, and the web site of its scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.component.arm.asking import SOMEBODY, access_of, arm_of, asking, new_service
from tests.component.arm.image_templates.talking import DEFINITION, GROUP, IDENTITY, SITE, Talk
from vmwright.arm import ids
from vmwright.arm.background import Background
from vmwright.arm.providers import image_templates
from vmwright.arm.service import Service
from vmwright.arm.store import GROUP_TYPE
from vmwright.events import Events
from vmwright.images import GalleryId, Identifier
from vmwright.images.ids import parse_definition
from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.database import Database
from vmwright.template.model import Generation, OsType


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder behind SITE."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "setup.sh").write_text("#!/bin/sh\n")
    return folder


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings, site: Path) -> Settings:
    return Settings(home=tmp_path / "home", database=database_settings, mirrors={SITE: f"file://{site}/"})


@pytest.fixture
def service(settings: Settings, database: Database, events: Events) -> Service:
    service = new_service(settings, database, events)
    for group in (GROUP, f"{GROUP}-other"):
        service.store.put(
            ids.parse(group),
            kind=GROUP_TYPE,
            location="westus",
            body={"properties": {"provisioningState": "Succeeded"}},
            tags={},
            api_version="2021-04-01",
            principal=SOMEBODY.id,
        )
    service.store.put(
        ids.parse(IDENTITY),
        kind="Microsoft.ManagedIdentity/userAssignedIdentities",
        location="westus",
        body={"properties": {"principalId": "the-principal", "clientId": "the-client", "tenantId": "t"}},
        tags={},
        api_version="2023-01-31",
        principal=SOMEBODY.id,
    )
    return service


@pytest.fixture
def definition(service: Service) -> GalleryId:
    """An image definition for Linux images."""
    definition = parse_definition(DEFINITION)
    galleries = service.images.galleries
    galleries.create_gallery(definition, location="westus")
    galleries.create_definition(
        definition,
        location="westus",
        os_type=OsType.LINUX,
        generation=Generation.V2,
        identifier=Identifier(publisher="us", offer="web", sku="1"),
    )
    return definition


@pytest.fixture
def background(service: Service) -> Background:
    return Background(service.operations, service.events)


@pytest.fixture
async def talk(service: Service, background: Background) -> AsyncIterator[Talk]:
    """A client of a service that runs."""
    arm = arm_of(image_templates.routes(service, background, access_of(service)))
    async with background.running(), asking(arm) as client:
        yield Talk(client, background)
