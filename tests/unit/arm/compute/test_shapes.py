from __future__ import annotations

from typing import Any

import pytest

from vmwright.arm.providers.compute.names import VERSIONS
from vmwright.arm.providers.compute.shapes import shown

GROUP = "/subscriptions/s/resourcegroups/IT_images_web_1"
BUILD = "3e528e35-cea4-406e-a528-d4713b35cfa6"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a"
BLOB = {"uri": f"https://localhost:8443/a/vhds/{BUILD}.vhd", "storageAccountId": ACCOUNT}
IMAGE = (
    "/subscriptions/s/resourceGroups/IT_images_web_1/providers/Microsoft.Compute/images"
    f"/IntermediateSnapImg_{BUILD}_0"
)


def storage_of(version: str, source: dict[str, Any]) -> dict[str, Any]:
    disk = {"sizeInGB": 4, "hostCaching": "ReadWrite", "source": source}
    body = {"type": VERSIONS, "properties": {"storageProfile": {"osDiskImage": disk}}}
    storage: dict[str, Any] = shown(body, version)["properties"]["storageProfile"]
    return storage


@pytest.mark.parametrize("version", ["2022-03-03", "2024-03-03"])
def test_a_version_that_a_build_made_names_its_blob(version: str) -> None:
    assert storage_of(version, BLOB)["osDiskImage"]["source"] == BLOB


@pytest.mark.parametrize("version", ["2019-12-01", "2021-10-01"])
def test_an_older_api_version_names_an_image_in_its_place(version: str) -> None:
    storage = storage_of(version, BLOB)
    assert storage["source"] == {"id": IMAGE}
    assert storage["osDiskImage"] == {"sizeInGB": 4, "hostCaching": "None", "source": {}}


def test_a_version_that_was_imported_names_what_it_was_made_of() -> None:
    source = {"uri": "https://blobs.example.com/vhds/mine.vhd"}
    assert storage_of("2021-10-01", source)["osDiskImage"]["source"] == source
