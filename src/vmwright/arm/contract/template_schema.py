"""Image templates in the contract: the JSON Schema of ``vmwright schema`` without what only files have.

Files may have placeholders such as ``<rgName>`` and say their type and api-version; requests have neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmwright.template.patterns import PLACEHOLDER
from vmwright.template.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "ImageTemplate"
# For editors; and what is the file's own.
NOT_KEPT = frozenset({"$schema", "definitions", "patternErrorMessage", "enumDescriptions", "doNotSuggest"})
OF_FILES = ("apiVersion", "dependsOn")
OR_PLACEHOLDER = f"{PLACEHOLDER}|"


def template_schemas(version: str) -> dict[str, Any]:
    """Return the schemas of an image template in an api-version, by their names in the document.

    :param version: one of API_VERSIONS.
    """
    whole: dict[str, Any] = json_schema(version)
    root = _plain(whole)
    for name in OF_FILES:
        root["properties"].pop(name, None)
    definitions = {_named(name): _plain(schema) for name, schema in whole["definitions"].items()}
    return {NAME: root, **definitions}


def _named(definition: str) -> str:
    return f"{NAME}.{definition}"


def _plain(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a schema for OpenAPI, without placeholders."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _plain(value) for name, value in schema.items() if name not in NOT_KEPT}
    if isinstance(target := found.get("$ref"), str):
        found["$ref"] = f"#/components/schemas/{_named(target.rpartition('/')[2])}"
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
