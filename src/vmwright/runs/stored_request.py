"""A build's request as the database keeps it, for a worker or a later attempt to make it of that again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from vmwright.errors import VmwrightError
from vmwright.runs.request import BuildRequest
from vmwright.settings import MachineChoice
from vmwright.template import read
from vmwright.template.writing import write


class StoredRequest(BaseModel):
    """What ``BuildRow.request`` holds; ``body`` is the template as a request's body, its secrets in it.

    ``again_from`` is the step of the journal from which on the next attempt runs what is done already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    api_version: str
    body: dict[str, Any]
    template_name: str | None
    machine: MachineChoice
    out: Path | None
    formats: tuple[str, ...]
    sums: bool = False
    makes_galleries: bool
    secrets: tuple[str, ...]
    template_id: str | None = None
    uses_cache: bool = False
    refresh_from: int | None = None
    again_from: str | None = None


def stored(request: BuildRequest, *, again_from: str | None = None) -> dict[str, Any]:
    """Return a request as JSON."""
    template = request.template
    return StoredRequest(
        name=request.name,
        api_version=template.api_version,
        body=write(template, template.api_version).body,
        template_name=template.name,
        machine=request.machine,
        out=request.out,
        formats=request.formats,
        sums=request.sums,
        makes_galleries=request.makes_galleries,
        secrets=request.secrets,
        template_id=request.template_id,
        uses_cache=request.uses_cache,
        refresh_from=request.refresh_from,
        again_from=again_from,
    ).model_dump(mode="json")


def restored(kept: StoredRequest, document: dict[str, Any]) -> BuildRequest:
    """Return the request that was stored.

    :param document: the template as people may see it.
    :raises VmwrightError: this version does not read the template any more.
    """
    reading = read(json.dumps(kept.body).encode(), api_version=kept.api_version, name=kept.name)
    if reading.template is None:
        found = "; ".join(problem.message for problem in reading.errors)
        raise VmwrightError(
            f"The template of {kept.name} cannot be read any more: {found}", hint="build it anew"
        )
    return BuildRequest(
        template=dataclasses.replace(reading.template, document=document, name=kept.template_name),
        name=kept.name,
        machine=kept.machine,
        out=kept.out,
        formats=kept.formats,
        sums=kept.sums,
        makes_galleries=kept.makes_galleries,
        secrets=kept.secrets,
        template_id=kept.template_id,
        uses_cache=kept.uses_cache,
        refresh_from=kept.refresh_from,
    )
