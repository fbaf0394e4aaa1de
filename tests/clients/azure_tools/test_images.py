"""Galleries, their images, managed images and the marketplace, by az."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.azure_tools import templates
from tests.clients.azure_tools.conftest import Owner, Place
from tests.clients.azure_tools.serving import Az, Served
from tests.scripted_builds import FACTS, empty_disk
from vmwright.images import open_images
from vmwright.settings import Settings
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.urn import Urn
from vmwright.state.database import open_database

DEFINITION = (
    "--publisher",
    "us",
    "--offer",
    "web",
    "--sku",
    "1",
    "--os-type",
    "Linux",
    "--os-state",
    "Generalized",
)


@pytest.fixture
def gallery(place: Place) -> tuple[str, ...]:
    """The arguments that name an image definition in a gallery."""
    in_gallery = ("-g", place.group, "--gallery-name", "ours")
    place.az("sig", "create", "-g", place.group, "--gallery-name", "ours")
    named = (*in_gallery, "--gallery-image-definition", "web")
    place.az("sig", "image-definition", "create", *named, *DEFINITION, "--hyper-v-generation", "V1")
    return named


def test_a_gallery_and_its_definitions_are_made_shown_listed_and_deleted(
    place: Place, gallery: tuple[str, ...]
) -> None:
    az, in_gallery = place.az, gallery[:4]
    shown = az.json("sig", "show", *in_gallery)
    assert (shown["name"], shown["provisioningState"]) == ("ours", "Succeeded")
    assert [one["name"] for one in az.json("sig", "list", "-g", place.group)] == ["ours"]
    definition = az.json("sig", "image-definition", "show", *gallery)
    assert (definition["osType"], definition["hyperVGeneration"]) == ("Linux", "V1")
    assert definition["identifier"] == {"publisher": "us", "offer": "web", "sku": "1"}
    assert [one["name"] for one in az.json("sig", "image-definition", "list", *in_gallery)] == ["web"]
    az("sig", "image-definition", "delete", *gallery)
    assert az.json("sig", "image-definition", "list", *in_gallery) == []
    az("sig", "delete", *in_gallery)
    az("sig", "show", *in_gallery, code=3)


@pytest.mark.usefixtures("builder")
def test_a_build_makes_a_version_that_az_shows_and_deletes(
    place: Place, owner: Owner, gallery: tuple[str, ...]
) -> None:
    body = templates.body(place.subscription, place.group)
    definition = place.az.json("sig", "image-definition", "show", *gallery)["id"]
    shared = {"type": "SharedImage", "runOutputName": "golden", "galleryImageId": definition}
    regions = {"replicationRegions": ["westus2", "eastus"], "artifactTags": {"a": "b"}}
    body["properties"]["distribute"] = [{**shared, **regions}]
    owner.put(place.id, "2023-07-01", body)
    place.builder("run", *place.named)
    (version,) = place.az.json("sig", "image-version", "list", *gallery)
    assert (version["name"], version["tags"]["a"]) == ("1.0.0", "b")
    named = (*gallery, "--gallery-image-version", "1.0.0")
    shown = place.az.json("sig", "image-version", "show", *named)
    profile = shown["publishingProfile"]
    assert {one["name"] for one in profile["targetRegions"]} == {"West US 2", "East US"}
    assert profile["publishedDate"]
    source = shown["storageProfile"]["osDiskImage"]["source"]
    staging = place.builder("show", *place.named)["exactStagingResourceGroup"]
    assert source["storageAccountId"].lower().startswith(staging.lower())
    output = place.builder("show-runs", *place.named, "--output-name", "golden")
    assert output["artifactId"] == shown["id"]
    place.az("sig", "image-version", "delete", *named)
    assert place.az.json("sig", "image-version", "list", *gallery) == []


@pytest.mark.usefixtures("builder")
def test_a_build_makes_a_managed_image_that_az_shows_and_deletes(template: Place) -> None:
    template.builder("run", *template.named)
    named = ("-g", template.group, "-n", "golden")
    shown = template.az.json("image", "show", *named)
    disk = shown["storageProfile"]["osDisk"]
    assert (disk["osType"], shown["location"]) == ("Linux", "westus2")
    assert disk["blobUri"].endswith(".vhd")
    assert [one["name"] for one in template.az.json("image", "list", "-g", template.group)] == ["golden"]
    template.az("image", "delete", *named)
    template.az("image", "show", *named, code=3)


def test_the_aliases_of_images_are_listed(az: Az) -> None:
    aliases = {one["urnAlias"]: one["urn"] for one in az.json("vm", "image", "list")}
    assert any(urn.startswith("Debian:debian-12:") for urn in aliases.values()), json.dumps(aliases)


def test_what_the_marketplace_has_is_listed(az: Az) -> None:
    where = ("-l", "westus2")
    publishers = az.json("vm", "image", "list-publishers", *where)
    assert "debian" in [one["name"].lower() for one in publishers]
    debian = (*where, "-p", "Debian")
    assert "debian-12" in [one["name"] for one in az.json("vm", "image", "list-offers", *debian)]
    skus = az.json("vm", "image", "list-skus", *debian, "-f", "debian-12")
    assert "12" in [one["name"] for one in skus]


async def test_a_disk_that_stands_for_an_image_is_in_the_marketplace(
    az: Az, served: Served, tmp_path: Path
) -> None:
    await add_source(served, "Contoso:server:2026:1.2.3", await empty_disk(tmp_path))
    contoso = ("-l", "westus2", "-p", "Contoso", "-f", "server")
    listed = az.json("vm", "image", "list", *contoso, "--all")
    assert [one["urn"] for one in listed] == ["Contoso:server:2026:1.2.3"]
    latest = ("vm", "image", "show", "--urn", "Contoso:server:2026:latest", "-l", "westus2")
    assert az.json(*latest)["name"] == "1.2.3"


async def add_source(served: Served, urn: str, disk: Path) -> None:
    """Let a disk stand for an image, as `vmwright sources add` does with one that boots."""
    settings = Settings(home=served.home)
    database = open_database(settings)
    artifacts = open_images(settings, database).artifacts
    artifact = await artifacts.adopt(disk, "qcow2")
    Catalogue(database, artifacts).insert(
        Urn(*urn.split(":")), digest=artifact.digest, facts=FACTS, origin="disk.qcow2"
    )
    database.close()
