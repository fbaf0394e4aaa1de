"""A service with its worker on this host, a real Debian in its catalogue, and az logged in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import parity
from tests.clients.azure_tools.serving import Az, Served, logged_in, started
from tests.host_traces import traces
from tests.parity import Witness
from tests.vmwright_command import Vmwright


@pytest.fixture(autouse=True)
def trusted() -> None:
    """Take the place of the ring's own, which starts a server that no test here needs."""


@pytest.fixture(scope="module")
def served(debian_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that builds in containers; afterwards nothing of its builds may be left on this host."""
    home = tmp_path_factory.mktemp("served") / "home"
    home.mkdir()
    (home / "vmwright.toml").write_text('machine = "container"\n[worker]\ncontainers = true\n')
    added = Vmwright(home)("sources", "add", "Debian:debian-12:12:12.0.1", debian_disk)
    assert added.code == 0, added.err
    with started(home) as served:
        yield served
    assert traces(home) == set()


@pytest.fixture(scope="module")
def az(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Az:
    return logged_in(served, tmp_path_factory.mktemp("az"))


@pytest.fixture(autouse=True)
def witnessed(served: Served, request: pytest.FixtureRequest) -> Iterator[None]:
    """Note what is asked during a test, for the page docs/parity.md."""
    witness = Witness(served.log)
    yield
    test = f"{request.path.name}::{request.node.name}"
    request.node.user_properties.append((parity.PROPERTY, witness.asked(test)))
