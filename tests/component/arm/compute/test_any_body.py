"""Whatever a client sends is refused or done: it is never the service that fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.component.arm.asking import arm_of, asking
from tests.component.arm.compute.talking import DEFINITION, GALLERY, IMAGE, ONE, Rights, Talk
from vmwright.arm.background import Background
from vmwright.arm.operations import Status
from vmwright.arm.providers import compute
from vmwright.arm.service import Service
from vmwright.images.galleries import default_identifier
from vmwright.images.ids import parse
from vmwright.settings import DatabaseSettings
from vmwright.template.model import Generation, OsType

NAMES = (
    "storageProfile",
    "publishingProfile",
    "osDisk",
    "osDiskImage",
    "source",
    "id",
    "uri",
    "blobUri",
    "osType",
    "osState",
    "hyperVGeneration",
    "identifier",
    "purchasePlan",
    "publisher",
    "targetRegions",
    "name",
    "regionalReplicaCount",
    "endOfLifeDate",
    "safetyProfile",
    "dataDisks",
)
WORDS = st.sampled_from(
    ("Linux", "Generalized", "V1", "westus", IMAGE, ONE, "https://x/y", "file:///x", "", "\0", "1.0.0")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.fixed_dictionaries(
    {"location": st.just("westus") | VALUES},
    optional={
        "properties": st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5) | VALUES,
        "tags": VALUES,
    },
)
KINDS = tuple(
    f"{kind}/write" for kind in ("galleries", "galleries/images", "galleries/images/versions", "images")
)
PATHS = st.sampled_from((GALLERY, DEFINITION, ONE, IMAGE, f"{DEFINITION}2", f"{DEFINITION}/versions/2.0.0"))


@pytest.fixture
def database_settings() -> DatabaseSettings:
    """One kind of database will do: what is tested is the reading of bodies."""
    return DatabaseSettings()


@pytest.fixture
def defined(service: Service) -> Service:
    """The service, once it has a definition."""
    galleries, definition = service.images.galleries, parse(DEFINITION)
    galleries.create_gallery(definition, location="westus")
    galleries.create_definition(
        definition,
        location="westus",
        os_type=OsType.LINUX,
        generation=Generation.V1,
        identifier=default_identifier(definition),
    )
    return service


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(("PUT", "PATCH")), path=PATHS, body=BODIES)
def test_any_body_is_answered(defined: Service, method: str, path: str, body: Any) -> None:
    async def answered() -> int:
        # it does not run: what is accepted is not done
        background = Background(defined.operations, defined.events)
        async with asking(arm_of(compute.routes(defined, background, Rights()))) as client:
            return (await Talk(client, background)(method, path, body)).status_code

    status = asyncio.run(answered())
    for operation in defined.operations.open_ones(*KINDS):
        defined.operations.end(operation.id, Status.FAILED)
    assert status < 500
