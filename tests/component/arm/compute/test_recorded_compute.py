"""What the real service answered about galleries and images, beside what this one does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.component.arm.asking import SUBSCRIPTION
from tests.component.arm.compute.talking import GROUP, IMAGE, Talk, importing, version_of
from tests.conftest import SHARED
from vmwright.settings import DatabaseSettings

RECORDINGS = SHARED / "recordings" / "azure-cli-open.json"
PROVIDER = "/providers/microsoft.compute/"
# What differs, and why.
ABSENT = {
    ".properties.softDeletePolicy.isSoftDeleteEnabled",  # in September 2021 only
    ".properties.storageProfile.osDisk.blobUri",  # a blob of the staging account, which is gone by then
    ".properties.storageProfile.osDisk.snapshot.id",  # likewise, in 2019
    ".properties.publishingProfile.source.managedImage.id",  # an intermediate image, gone likewise
    ".properties.storageProfile.source.id",  # likewise
    ".properties.storageProfile.osDiskImage.source.uri",  # an intermediate blob
    ".properties.storageProfile.osDiskImage.source.id",
    ".properties.storageProfile.osDiskImage.source.storageAccountId",
}
BESIDE = {
    ".properties.architecture",  # older answers of 2021-10-01 lack it
    ".properties.storageProfile.source.id",  # of the version that stands in for a build's
    ".properties.storageProfile.osDiskImage.source",  # where the recorded one names an intermediate blob
    ".properties.storageProfile.osDisk.blobUri",
    ".tags",
}

pytestmark = pytest.mark.skipif(
    not RECORDINGS.exists(), reason="no recordings of the service beside the project"
)


@pytest.fixture
def database_settings() -> DatabaseSettings:
    """One kind of database will do: what is compared are shapes."""
    return DatabaseSettings()


def recorded(method: str, pattern: str) -> list[dict[str, Any]]:
    """Return the recorded requests whose path, below the provider, is like that."""
    exchanges = json.loads(RECORDINGS.read_text())
    return [
        exchange
        for exchange in exchanges
        if exchange["method"] == method
        and re.fullmatch(pattern, exchange["path"].lower().rpartition(PROVIDER)[2])
    ]


def path_here(exchange: dict[str, Any]) -> str:
    return (
        f"{GROUP}/providers/Microsoft.Compute/{re.split(PROVIDER, exchange['path'], flags=re.IGNORECASE)[1]}"
    )


def shape(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of the values in a document; empty objects and lists are values."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from shape(inner, path if path == ".tags" else f"{path}.{name}")
    elif isinstance(value, list) and value:
        for inner in value:
            yield from shape(inner, f"{path}[]")
    else:
        yield path


def check_alike(ours: dict[str, Any], theirs: dict[str, Any], recording: str) -> None:
    here, there = set(shape(ours)), set(shape(theirs))
    assert there - here <= ABSENT | {".tags"}, recording
    assert here - there <= BESIDE, recording


async def test_galleries_and_definitions_are_made_and_shown_as_recorded(talk: Talk) -> None:
    puts = recorded("PUT", "galleries/[^/]+(/images/[^/]+)?")
    assert len(puts) > 40
    for exchange in puts:
        path, version = path_here(exchange), exchange["api_version"]
        if "/images/" in path.partition("/galleries/")[2]:
            gallery = path.rpartition("/images/")[0]
            await talk.done(
                "PUT", gallery, {"location": exchange["request_body"]["location"]}, version=version
            )
        answer = await talk("PUT", path, exchange["request_body"], version=version)
        assert answer.status_code == exchange["status"]
        theirs = exchange["response_headers"]["azure-asyncoperation"]
        ours = answer.headers["Azure-AsyncOperation"]
        assert without_ids(ours) == without_ids(theirs)
        check_alike(answer.json(), exchange["response_body"], exchange["recording"])
        assert answer.json()["properties"]["provisioningState"] == "Creating"
        await talk.background.idle()
        check_alike(await talk.get(path, version=version), exchange["response_body"], exchange["recording"])
        polled = (await talk.client.get(ours)).json()
        assert polled.keys() == {"startTime", "endTime", "status", "name"}
        for made in (path, path.rpartition("/images/")[0]):
            if "/galleries/" in made:
                await talk.done("DELETE", made)


def without_ids(address: str) -> str:
    """Return an address without host and ids, and without its api-version: one is not the request's own."""
    path = address.partition("/subscriptions/")[2].partition("=")[0]
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", path)


async def test_operations_of_galleries_are_polled_as_recorded(talk: Talk) -> None:
    answer = await talk("PUT", f"{GROUP}/providers/Microsoft.Compute/galleries/x", {"location": "westus"})
    polled = await talk.ended(answer)
    for exchange in recorded("GET", "locations/[^/]+/capsoperations/.*"):
        assert exchange["response_body"].keys() <= polled.keys()
        for name in ("startTime", "endTime"):
            assert polled[name].endswith("+00:00")
            assert exchange["response_body"].get(name, "+00:00").endswith("+00:00")


async def test_versions_and_images_are_shown_as_recorded(defined: Talk) -> None:
    source = {"source": {"id": IMAGE}}
    await defined.made(IMAGE, importing())
    definition = f"{GROUP}/providers/Microsoft.Compute/galleries/ours/images/web"
    made = await defined.made(f"{definition}/versions/1.0.0", version_of(source))
    exchanges = [
        *recorded("GET", "galleries/[^/]+/images/[^/]+/versions/[^/]+"),
        *recorded("GET", "images/[^/]+"),
    ]
    assert len(exchanges) > 15
    for exchange in exchanges:
        path = made["id"] if "/versions/" in exchange["path"] else IMAGE
        ours = await defined.get(path, version=exchange["api_version"])
        check_alike(ours, exchange["response_body"], exchange["recording"])
        assert ours["id"].startswith(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/")
        assert ours["type"] == exchange["response_body"]["type"]
