"""``vmwright schema``: the JSON Schema of image templates, for editors."""

from __future__ import annotations

import difflib

from vmwright.cli.running import fail
from vmwright.cli.screen import print_json
from vmwright.errors import TemplateError
from vmwright.template.contract import API_VERSIONS, NEWEST
from vmwright.template.schema import json_schema


def schema(version: str | None) -> None:
    """Print the JSON Schema of an api-version, of the newest if None; exit 2 if there is none such."""
    wanted = version or NEWEST
    if wanted not in API_VERSIONS:
        near = difflib.get_close_matches(wanted, API_VERSIONS, n=1)
        guess = f"did you mean {near[0]}? " if near else ""
        message = f"There is no api-version `{wanted}`."
        fail(TemplateError(message, hint=f"{guess}known are {', '.join(API_VERSIONS)}"))
    print_json(json_schema(wanted))
