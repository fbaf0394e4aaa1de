"""``vmwright schema``: the JSON Schema of image templates, for editors."""

from __future__ import annotations

from vmwright.cli.running import fail
from vmwright.cli.screen import print_json
from vmwright.errors import TemplateError
from vmwright.template.contract import API_VERSIONS, NEWEST
from vmwright.template.schema import json_schema
from vmwright.template.wording import known_versions


def schema(version: str | None) -> None:
    """Print the JSON Schema of an api-version, of the newest if None; exit 2 if there is none such."""
    wanted = version or NEWEST
    if wanted not in API_VERSIONS:
        fail(TemplateError(f"There is no api-version `{wanted}`.", hint=known_versions(wanted)))
    print_json(json_schema(wanted))
