from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.build_rows import build_row
from vmwright.artifacts import Artifact, ArtifactStore, RegionStores
from vmwright.artifacts.facts import ImageFacts
from vmwright.events import Events
from vmwright.images import GalleryLibrary, NewVersion, VersionLibrary, ids
from vmwright.images.galleries import default_identifier
from vmwright.images.ids import GalleryId
from vmwright.images.records import VersionRecord
from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.database import Database, Writing
from vmwright.state.resources import Ledger
from vmwright.state.tables import BuildRow
from vmwright.template.model import Generation, OsType, PlanInfo

DEFINITION = ids.parse(
    "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.Compute/galleries/gal/images/Web"
)
FACTS = ImageFacts(
    os_type=OsType.LINUX, os_name="Debian 12", generation=Generation.V1, size_bytes=(4 << 30) + 1
)
PLAN = PlanInfo(plan_name="n", plan_product="p", plan_publisher="pub")

AddVersion = Callable[..., Awaitable[VersionRecord]]


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings) -> Settings:
    stores = {"East US": tmp_path / "east"}
    return Settings(home=tmp_path / "home", stores=stores, database=database_settings)


@pytest.fixture
def artifacts(settings: Settings, database: Database) -> ArtifactStore:
    return ArtifactStore(settings.home, database)


@pytest.fixture
def galleries(database: Database) -> GalleryLibrary:
    return GalleryLibrary(database)


@pytest.fixture
def versions(settings: Settings, database: Database, artifacts: ArtifactStore) -> VersionLibrary:
    return VersionLibrary(database, artifacts, RegionStores(settings))


def define(galleries: GalleryLibrary, definition: GalleryId = DEFINITION) -> None:
    """Make a definition in its gallery, both in West US."""
    galleries.create_gallery(definition, location="westus")
    galleries.create_definition(
        definition,
        location="West US",
        os_type=FACTS.os_type,
        generation=FACTS.generation,
        identifier=default_identifier(definition),
    )


def begun(database: Database) -> str:
    """Record a build that has begun; return its id."""
    row = build_row()
    with database.session() as session:
        session.add(row)
    return row.id


def end(database: Database, build_id: str) -> None:
    with database.session() as session:
        session.get_one(BuildRow, build_id).ended_at = datetime.now(UTC)


async def artifact_of(body: str, artifacts: ArtifactStore, folder: Path) -> Artifact:
    part = folder / f"{uuid.uuid4()}.qcow2"
    part.write_text(body)
    return await artifacts.adopt(part, "qcow2")


@pytest.fixture
def add(
    tmp_path: Path,
    settings: Settings,
    database: Database,
    artifacts: ArtifactStore,
    galleries: GalleryLibrary,
    versions: VersionLibrary,
) -> AddVersion:
    """Makes a version of DEFINITION (or of a number of it) with a body."""
    define(galleries)
    build_id = begun(database)

    async def add_one(
        number: str = "", body: str = "a disk", writing: Writing = database.session, **fields: Any
    ) -> VersionRecord:
        new = NewVersion(
            id=DEFINITION.of_version(number),
            artifact=await artifact_of(body, artifacts, settings.home),
            facts=FACTS,
            api_version="2022-07-01",
            source_version="12.9.3",
            build_id=build_id,
            run_output="out",
            tags={"correlationId": build_id},
        )
        return await versions.add(
            replace(new, **fields), writing=writing, ledger=Ledger(database), events=Events()
        )

    return add_one
