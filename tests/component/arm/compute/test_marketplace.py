"""The marketplace as `az vm image` asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.component.arm.asking import SUBSCRIPTION
from tests.component.arm.compute.talking import Talk
from tests.scripted import Recorder
from vmwright.arm.providers.compute.offers import Offers
from vmwright.arm.service import Service
from vmwright.artifacts.facts import ImageFacts
from vmwright.events import Level, Notice
from vmwright.settings import DatabaseSettings
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.urn import Urn, parse
from vmwright.template.model import Generation, OsType

PUBLISHERS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/publishers"
SKUS = f"{PUBLISHERS}/acme/artifacttypes/vmimage/offers/box/skus"
LISTED = """
[layout.acme]
index = "file://{index}"
builds = 'box-${{kind}}-(?P<number>[0-9]+)[.]img'
version = "1.0.${{number}}"
image = "file:///nowhere/${{number}}"
checksums = "file:///nowhere/SUMS"

[[image]]
layout = "acme"
os = "Box 1"
values = {{ kind = "small" }}
v1 = ["Acme:Box:Small"]
v2 = ["Acme:Box:Small-gen2"]

[[image]]
layout = "acme"
os = "Windows Box"
values = {{ kind = "large" }}
v2 = ["Acme:Box:Large"]
"""


@pytest.fixture
def database_settings() -> DatabaseSettings:
    """One kind of database will do: what is tested here is not in it."""
    return DatabaseSettings()


@pytest.fixture
def index(tmp_path: Path, service: Service) -> Path:
    """What the vendor says that it has."""
    index = tmp_path / "index"
    index.write_text("box-small-9.img box-small-10.img box-large-3.img")
    (service.settings.home / "marketplace.toml").write_text(LISTED.format(index=index))
    return index


@pytest.fixture
def catalogue(service: Service) -> Catalogue:
    return Catalogue(service.database, service.images.artifacts)


async def listed(talk: Talk, path: str) -> list[Any]:
    answer = await talk("GET", path, version="2024-07-01")
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()
    return found


async def names(talk: Talk, path: str) -> list[str]:
    return [entry["name"] for entry in await listed(talk, path)]


async def test_what_can_be_built_from_is_listed_level_by_level(talk: Talk, index: Path) -> None:
    assert index.exists()
    publishers = await listed(talk, PUBLISHERS)
    assert {"Acme", "Canonical", "Debian"} <= {entry["name"] for entry in publishers}
    assert publishers[0] == {
        "location": "westus",
        "name": "Acme",
        "id": f"/Subscriptions/{SUBSCRIPTION}/Providers/Microsoft.Compute/Locations/westus/Publishers/Acme",
    }
    assert await names(talk, f"{PUBLISHERS}/ACME/ArtifactTypes/VMImage/Offers") == ["Box"]
    assert await names(talk, SKUS) == ["Large", "Small", "Small-gen2"]
    (large,) = await listed(talk, f"{SKUS}/large/versions?$expand=properties/imageDeprecationStatus")
    assert large["id"].endswith("/Publishers/Acme/ArtifactTypes/VMImage/Offers/Box/Skus/Large/Versions/1.0.3")
    assert large["properties"] == (await talk.get(f"{SKUS}/large/versions/1.0.3"))["properties"]
    assert large["properties"]["imageDeprecationStatus"] == {"imageState": "Active"}


async def test_versions_are_ordered_by_their_numbers_and_the_newest_is_found(talk: Talk, index: Path) -> None:
    assert index.exists()
    assert await names(talk, f"{SKUS}/small/versions") == ["1.0.9", "1.0.10"]
    assert await names(talk, f"{SKUS}/small/versions?$top=1&$orderby=name desc") == ["1.0.10"]
    newest = await talk.get(f"{SKUS}/large/versions/latest")
    assert newest["name"] == "1.0.3"
    assert newest["properties"]["osDiskImage"] == {"operatingSystem": "Windows"}
    assert newest["properties"]["hyperVGeneration"] == "V2"
    for lost in (
        f"{SKUS}/small/versions/2.0.0",
        f"{SKUS}/huge/versions",
        f"{PUBLISHERS}/x/artifacttypes/vmimage/offers",
    ):
        assert (await talk.refused("GET", lost))[:2] == (404, "NotFound")
    nowhere = PUBLISHERS.replace("westus", "mars")
    assert (await talk.refused("GET", nowhere))[0] == 400


async def test_a_disk_that_was_added_here_is_offered_with_what_the_vendor_has(
    talk: Talk, index: Path, service: Service, catalogue: Catalogue, tmp_path: Path
) -> None:
    assert index.exists()
    (tmp_path / "disk").write_text("a disk")
    artifact = await service.images.artifacts.adopt(tmp_path / "disk", "qcow2")
    facts = ImageFacts(os_type=OsType.LINUX, os_name="Mine", generation=Generation.V1, size_bytes=3 << 30)
    for name in ("Acme:Box:Small:1.0.10", "Own:Things:One:7.0.0"):
        catalogue.insert(parse(name), digest=artifact.digest, facts=facts, origin="added")
    assert await names(talk, f"{SKUS}/small/versions") == ["1.0.9", "1.0.10"]
    here = await talk.get(f"{SKUS}/small/versions/1.0.10")
    assert here["properties"]["osDiskImage"] == {"operatingSystem": "Linux", "sizeInGb": 3}
    assert await names(talk, f"{PUBLISHERS}/own/artifacttypes/vmimage/offers/things/skus/one/versions") == [
        "7.0.0"
    ]


async def test_a_vendor_is_asked_now_and_then_and_what_it_said_last_is_kept(
    service: Service, index: Path, recorder: Recorder
) -> None:
    now = 0.0
    offers = Offers(service, clock=lambda: now)
    small, large = Urn("Acme", "Box", "Small"), Urn("Acme", "Box", "Large")

    async def versions(family: Urn) -> list[str]:
        return [offered.name.version for offered in await offers.versions(family)]

    assert await versions(small) == ["1.0.9", "1.0.10"]
    index.write_text("box-small-11.img box-large-4.img")
    assert await versions(large) == ["1.0.3"]
    now = 1000.0
    assert (await versions(large), await versions(small)) == (["1.0.4"], ["1.0.11"])
    index.unlink()
    now = 2000.0
    assert await versions(small) == ["1.0.11"]
    warned = [notice.message for notice in recorder.of(Notice) if notice.level is Level.WARNING]
    assert len(warned) == 1
    assert "cannot be asked for its images" in warned[0]
