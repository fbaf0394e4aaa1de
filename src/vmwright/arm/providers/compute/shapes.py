"""What an answer shows of a resource in which api-version, and what a body gives to keep (reference §20)."""

from __future__ import annotations

import copy
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vmwright.arm.providers.compute.names import DEFINITIONS, IMAGES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

# Since when the source of a version that a build has made is a blob.
BLOBS_SINCE = "2022-03-03"
# Properties, and the first api-version that shows them: recorded answers of older ones do not have them.
SINCE: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = MappingProxyType(
    {
        DEFINITIONS: (
            ("2019-07-01", ("hyperVGeneration",)),
            ("2021-10-01", ("architecture",)),
        ),
        VERSIONS: (
            ("2019-12-01", ("storageProfile", "osDiskImage", "source")),
            ("2019-12-01", ("storageProfile", "source")),
            ("2022-03-03", ("safetyProfile",)),
        ),
        IMAGES: (("2019-07-01", ("hyperVGeneration",)),),
    }
)


def shown(body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """Return a resource as an api-version shows it."""
    document: dict[str, Any] = copy.deepcopy(dict(body))
    if document["type"] == VERSIONS and api_version < BLOBS_SINCE:
        _name_image(document["properties"])
    for since, path in SINCE.get(document["type"], ()):
        if api_version < since:
            _drop(document["properties"], path)
    return document


def _name_image(properties: dict[str, Any]) -> None:
    """Show what a build made a version of as older api-versions do: as an image in its staging group."""
    storage = properties["storageProfile"]
    disk = storage.get("osDiskImage", {})
    disk["hostCaching"] = "None"
    source = disk.get("source", {})
    if account := source.pop("storageAccountId", None):
        group = account.replace("/resourcegroups/", "/resourceGroups/", 1).partition("/providers/")[0]
        build = PurePosixPath(source.pop("uri")).stem
        storage["source"] = {"id": f"{group}/providers/{IMAGES}/IntermediateSnapImg_{build}_0"}


def kept(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of the properties of a body: Compute shows no ``null`` and nothing empty."""
    document: dict[str, Any] = {}
    for name, value in properties.items():
        inner = kept(value) if isinstance(value, dict) else value
        if name != "provisioningState" and inner not in (None, {}):
            document[name] = inner
    return document


def patched(there: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties with a merge patch in them: ``null`` takes one away (RFC 7396)."""
    document = dict(there)
    for name, value in patch.items():
        inner = document.get(name)
        if value is None:
            document.pop(name, None)
        else:
            is_deep = isinstance(value, dict) and isinstance(inner, dict)
            document[name] = patched(inner, value) if is_deep and inner is not None else value
    return document


def _drop(properties: dict[str, Any], path: tuple[str, ...]) -> None:
    *around, last = path
    for name in around:
        properties = properties.get(name, {})
    properties.pop(last, None)
