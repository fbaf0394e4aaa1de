"""One service and one profile of az for all tests of a process; each test has a resource group of its own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import parity
from tests.clients.azure_tools import templates
from tests.clients.azure_tools.serving import (
    PAUSE_SECONDS,
    Az,
    Ends,
    Served,
    building,
    logged_in,
    serving,
)
from tests.parity import Witness

CREATED = 201


@pytest.fixture(autouse=True)
def trusted() -> None:
    """Take the place of the ring's own, which starts a server that no test here needs."""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served") / "home") as served:
        yield served


@pytest.fixture(autouse=True)
def witnessed(served: Served, request: pytest.FixtureRequest) -> Iterator[None]:
    """Note what is asked during a test, for the page docs/parity.md."""
    witness = Witness(served.log)
    yield
    test = f"{request.path.name}::{request.node.name}"
    request.node.user_properties.append((parity.PROPERTY, witness.asked(test)))


@pytest.fixture
def builder(served: Served) -> Iterator[None]:
    """What runs builds. A real worker may stand in its place."""
    with building(served.home, Ends.WELL):
        yield


@pytest.fixture
def failing_builder(served: Served) -> Iterator[None]:
    """What runs builds whose customizer fails."""
    with building(served.home, Ends.BADLY):
        yield


@pytest.fixture
def endless_builder(served: Served) -> Iterator[None]:
    """What runs builds until they are cancelled."""
    with building(served.home, Ends.NEVER):
        yield


@pytest.fixture(scope="session")
def az(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """The Azure CLI, logged in by what the service has printed."""
    return logged_in(served, tmp_path_factory.mktemp("az"))


@pytest.fixture(scope="session")
def owner(served: Served) -> Iterator[Owner]:
    with served.client() as client:
        client.headers["Authorization"] = f"Bearer {served.token()}"
        yield Owner(client)


@dataclass(frozen=True)
class Owner:
    """Somebody who has put things there before a test begins, quicker than az does."""

    client: httpx2.Client

    def put(self, resource_id: str, api_version: str, body: Any) -> None:
        """Make something, and wait until it is there."""
        made = self.client.put(resource_id, params={"api-version": api_version}, json=body)
        assert made.status_code == CREATED, made.text
        if operation := made.headers.get("Azure-AsyncOperation"):
            while (polled := self.client.get(operation).json())["status"] == "InProgress":
                time.sleep(PAUSE_SECONDS)
            assert polled["status"] == "Succeeded", polled


@pytest.fixture
def group(owner: Owner, served: Served) -> str:
    """The name of a new resource group in westus2."""
    name = f"images-{uuid.uuid4().hex[:8]}"
    owner.put(templates.group_id(served.subscription, name), "2021-04-01", {"location": "westus2"})
    return name


@dataclass(frozen=True)
class Place:
    """A resource group with an identity, and the template ``web`` that may be in it."""

    az: Az
    group: str
    subscription: str

    @property
    def id(self) -> str:
        return templates.template_id(self.subscription, self.group)

    @property
    def identity(self) -> str:
        return templates.identity_id(self.subscription, self.group)

    @property
    def image(self) -> str:
        return templates.image_id(self.subscription, self.group)

    @property
    def named(self) -> tuple[str, ...]:
        """The arguments that name the template."""
        return ("-g", self.group, "-n", "web")

    def builder(self, *arguments: str | Path) -> Any:
        """Run a command of ``az image builder`` and return what it printed."""
        return self.az.json("image", "builder", *arguments)


@pytest.fixture
def place(az: Az, owner: Owner, group: str, served: Served) -> Place:
    place = Place(az, group, served.subscription)
    owner.put(place.identity, "2023-01-31", {"location": "westus2"})
    return place


@pytest.fixture
def template(owner: Owner, place: Place) -> Place:
    """A place whose template has been submitted."""
    owner.put(place.id, "2023-07-01", templates.body(place.subscription, place.group))
    return place
