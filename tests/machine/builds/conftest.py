from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.host_traces import traces
from tests.vmwright_command import Vmwright

QUICKSTARTS = ROOT / "tests" / "data" / "quickstarts"
MIRRORED = "https://raw.githubusercontent.com/danielsollondon/azvmimagebuilder/master/"


@pytest.fixture(scope="session")
def home(debian_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A $VMWRIGHT_HOME of this worker: Debian in its catalogue, also as Ubuntu; the quickstarts mirrored."""
    home = tmp_path_factory.mktemp("home")
    # each test runs its own steps
    (home / "vmwright.toml").write_text(
        f'[mirrors]\n"{MIRRORED}" = "{QUICKSTARTS.as_uri()}/"\n[cache]\nmax_size_gib = 0\n'
    )
    vmwright = Vmwright(home)
    for name, disk in (
        ("Debian:debian-12:12:12.0.1", str(debian_disk)),
        ("Canonical:UbuntuServer:18.04-LTS", "Debian:debian-12:12:latest"),
        ("Canonical:0001-com-ubuntu-server-focal:20_04-lts-gen2", "Debian:debian-12:12:latest"),
    ):
        done = vmwright("sources", "add", name, disk)
        assert done.code == 0, done.err
    return home


@pytest.fixture
def second_script() -> Path:
    """The script of the quickstarts whose checksum has changed since they were written."""
    return QUICKSTARTS / "quickquickstarts" / "customizeScript2.sh"


@pytest.fixture
def vmwright(home: Path) -> Iterator[Vmwright]:
    """The command; afterwards nothing of its builds may be left on this host."""
    yield Vmwright(home)
    assert traces(home) == set()
