"""Real servers on loopback: an Azurite, an S3, a folder."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina

from tests.object_servers import Azurite, S3Server, started_azurite, started_s3
from vmwright.settings import StoreSettings


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with started_azurite(tmp_path_factory.mktemp("azurite")) as azurite:
        yield azurite


@pytest.fixture(autouse=True)
def trusted(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(azurite.ca))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10):
        yield


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with started_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["azure", "s3", "folder"])
def store_settings(request: pytest.FixtureRequest, azurite: Azurite, tmp_path: Path) -> StoreSettings:
    """An empty store on each kind of server."""
    prefix = f"builds/{uuid.uuid4().hex}"
    match request.param:
        case "azure":
            azurite.make_container()
            return azurite.store(prefix)
        case "s3":
            server: S3Server = request.getfixturevalue("s3")
            return server.store(prefix)
        case _:
            folder = tmp_path / "shared folder"
            folder.mkdir()
            return StoreSettings(url=folder.as_uri())
