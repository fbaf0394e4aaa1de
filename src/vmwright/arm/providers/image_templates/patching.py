"""What a PATCH makes of a template: a merge patch of some of its fields (reference §15)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from vmwright.arm.http.errors import ArmError
from vmwright.template.contract import API_VERSIONS, reaches

if TYPE_CHECKING:
    from collections.abc import Mapping

Document = dict[str, Any]
TOP = ("tags", "identity", "properties")
# The properties that can be changed, and since when.
CHANGEABLE = {"distribute": "2023-07-01", "vmProfile": "2024-02-01"}
IDENTITIES = "userAssignedIdentities"
IDENTITIES_SINCE = "2019-05-01-preview"


def reading_version(patch: Mapping[str, Any], *, asked: str, written: str) -> str:
    """Return the api-version by which what comes of a patch is read.

    :param asked: that of the request; ``written`` that in which the template was written.
    """
    return max(written, asked if "properties" in patch else IDENTITIES_SINCE, key=API_VERSIONS.index)


def patched(body: Mapping[str, Any], patch: Mapping[str, Any], version: str) -> Document:
    """Return a request's body with a patch in it.

    :param version: the api-version of the request.
    :raises ArmError: the patch changes what cannot be changed.
    """
    unknown = [name for name in patch if name not in TOP]
    unknown += [
        f"properties.{name}" for name in _object(patch, "properties") if not _may_change(name, version)
    ]
    if unknown:
        raise ArmError(
            400,
            "ValidationFailed",
            f"Validation failed: {', '.join(unknown)} cannot be changed by PATCH in {version}. "
            "Hint: tags and identity can, properties.distribute since 2023-07-01 and properties.vmProfile "
            "since 2024-02-01; PUT the whole template to change anything else.",
        )
    result = copy.deepcopy(dict(body))
    for name in ("tags", "identity"):
        if name in patch:
            result[name] = _merged(result.get(name, {}), _object(patch, name))
    if "identity" in patch:
        result["identity"] = _identity(result["identity"], _object(patch, "identity"))
    properties, changes = result["properties"], _object(patch, "properties")
    if "distribute" in changes:
        _check_all_there(properties["distribute"], changes["distribute"])
        properties["distribute"] = changes["distribute"]
    if "vmProfile" in changes:
        properties["vmProfile"] = _merged(
            properties.get("vmProfile", {}), _object(changes, "vmProfile", "properties.")
        )
    return result


def _may_change(name: str, version: str) -> bool:
    return name in CHANGEABLE and reaches(version, CHANGEABLE[name])


def _merged(target: object, patch: object) -> Any:  # noqa: ANN401 - JSON
    """Return JSON with a merge patch in it (RFC 7396): null takes away, names are compared without case."""
    if not isinstance(patch, dict):
        return patch
    merged: Document = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        there = next((key for key in merged if key.lower() == name.lower()), name)
        older = merged.pop(there, {})
        if value is not None:
            merged[name] = _merged(older, value)
    return merged


def _identity(merged: Document, patch: Mapping[str, Any]) -> Document:
    """Return the identity without identities where its type is None, and as None where none is left."""
    if patch.get("type") == "None" or not merged.get(IDENTITIES):
        return {"type": "None"}
    return {**merged, "type": patch.get("type", "UserAssigned")}


def _check_all_there(before: list[Document], after: object) -> None:
    names = (
        [one.get("runOutputName") for one in after if isinstance(one, dict)]
        if isinstance(after, list)
        else []
    )
    for distributor in before:
        if (name := distributor["runOutputName"]) not in names:
            raise ArmError(
                400,
                "ValidationFailed",
                f"Validation failed: Distribute target with Runoutput name {name} not found in the update "
                "request. Deleting a distribution target is not allowed.",
            )


def _object(document: Mapping[str, Any], name: str, path: str = "") -> Mapping[str, Any]:
    found = document.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ArmError(400, "InvalidRequestContent", f"`{path}{name}` must be an object, {{ ... }}.")
    return found
