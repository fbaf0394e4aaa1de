"""Image templates in the contract: the JSON Schema of ``vmwright schema`` without what only files have.

Files may have placeholders such as ``<rgName>`` and say their type and api-version; requests have neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmwright.template.patterns import PLACEHOLDER
from vmwright.template.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

SENT, SHOWN = "ImageTemplate", "ImageTemplateShown"
# For editors; and what is the file's own.
NOT_KEPT = frozenset({"$schema", "definitions", "patternErrorMessage", "enumDescriptions", "doNotSuggest"})
# What holds of requests alone: an answer leaves out what its api-version does not have.
OF_REQUESTS = frozenset({"required", "minItems"})
OF_FILES = ("apiVersion", "dependsOn")
OF_ANSWERS = ("id", "name", "type", "location", "tags", "properties")
OR_PLACEHOLDER = f"{PLACEHOLDER}|"


def template_schemas(version: str) -> dict[str, Any]:
    """Return the schemas of an image template, as it is sent and as it is shown, by their names.

    :param version: one of API_VERSIONS.
    """
    whole: dict[str, Any] = json_schema(version)
    sent = _Schemas(SENT, NOT_KEPT).all(whole)
    shown = _Schemas(SHOWN, NOT_KEPT | OF_REQUESTS).all(whole)
    shown[SHOWN]["required"] = list(OF_ANSWERS)
    # where there is none, the service says so (reference §23)
    gallery = shown[f"{SHOWN}.SharedImage"]["properties"] if f"{SHOWN}.SharedImage" in shown else {}
    if "versioning" in gallery:
        gallery["versioning"] = {"anyOf": [gallery["versioning"], {"type": "null"}]}
    return sent | shown


class _Schemas:
    """The schemas of a template for OpenAPI.

    :param name: that of the whole; those of its parts begin with it.
    :param left_out: the keywords that are not taken over.
    """

    def __init__(self, name: str, left_out: frozenset[str]) -> None:
        self._name = name
        self._left_out = left_out

    def all(self, whole: Mapping[str, Any]) -> dict[str, Any]:
        """Return the whole and its parts, by their names."""
        root = self._plain(whole)
        for name in OF_FILES:
            root["properties"].pop(name, None)
        parts = {self._part(name): self._plain(schema) for name, schema in whole["definitions"].items()}
        return {self._name: root, **parts}

    def _part(self, definition: str) -> str:
        return f"{self._name}.{definition}"

    def _plain(self, schema: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a schema without placeholders and what is left out."""
        if isinstance(schema, list):
            return [self._plain(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        found = {name: self._plain(value) for name, value in schema.items() if name not in self._left_out}
        if isinstance(target := found.get("$ref"), str):
            found["$ref"] = f"#/components/schemas/{self._part(target.rpartition('/')[2])}"
        if _is_placeholder(found) and isinstance(found["type"], list):
            del found["pattern"]
            found["type"] = found["type"][0]
        elif isinstance(pattern := found.get("pattern"), str):
            found["pattern"] = pattern.removeprefix(OR_PLACEHOLDER)
        if "anyOf" in found:
            found["anyOf"] = [one for one in found["anyOf"] if not _is_placeholder(one)]
        return found


def _is_placeholder(schema: Mapping[str, Any]) -> bool:
    return schema.get("pattern") == PLACEHOLDER
