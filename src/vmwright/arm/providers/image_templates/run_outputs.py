"""What a template's builds have made (reference §12)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.http.answer import listed, ok
from vmwright.arm.http.routing import Route
from vmwright.arm.providers.image_templates.names import (
    OUTPUT_TYPE,
    OUTPUTS,
    TEMPLATE,
    check_version,
    get_template,
    missing,
    shown_id,
    template_id,
)
from vmwright.runs.newest import run_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.service import Service
    from vmwright.distributors.distributor import RunOutput


def routes(service: Service) -> Iterator[Route]:
    """Give the ways to one run output and to all of a template."""

    async def get(call: Call) -> Answer:
        return await asyncio.to_thread(_get, call, service)

    async def list_(call: Call) -> Answer:
        return await asyncio.to_thread(_list, call, service)

    yield Route(method="GET", pattern=f"{TEMPLATE}/{OUTPUTS}/{{output}}", handler=get)
    yield Route(method="GET", pattern=f"{TEMPLATE}/{OUTPUTS}", handler=list_)


def _get(call: Call, service: Service) -> Answer:
    template, made = _made(call, service)
    output = made.get(call.names["output"].lower())
    if output is None:
        raise missing(template.below(OUTPUTS, call.names["output"]))
    return ok(_shown(template, output))


def _list(call: Call, service: Service) -> Answer:
    template, made = _made(call, service)
    return listed([_shown(template, output) for output in made.values()])


def _made(call: Call, service: Service) -> tuple[ResourceId, dict[str, RunOutput]]:
    check_version(call)
    resource = get_template(service.store, template_id(call))
    return ids.parse(resource.id), run_outputs(service.database, resource.id, since=resource.created_at)


def _shown(template: ResourceId, output: RunOutput) -> dict[str, object]:
    artifact = {"artifactId": output.artifact_id, "artifactUri": output.artifact_uri}
    return {
        "properties": {
            **{name: value for name, value in artifact.items() if value},
            "provisioningState": "Failed" if output.error else "Succeeded",
        },
        "id": shown_id(template.below(OUTPUTS, output.name)),
        "name": output.name,
        "type": OUTPUT_TYPE,
    }
