"""What a template's builds have made (reference §12)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.http.answer import listed, ok
from vmwright.arm.http.routing import Route
from vmwright.arm.providers.image_templates.addresses import artifact_uri
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
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource
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
        raise missing(ids.parse(template.id).below(OUTPUTS, call.names["output"]))
    return ok(_shown(template, output, call))


def _list(call: Call, service: Service) -> Answer:
    template, made = _made(call, service)
    return listed([_shown(template, output, call) for output in made.values()])


def _made(call: Call, service: Service) -> tuple[Resource, dict[str, RunOutput]]:
    check_version(call)
    resource = get_template(service.store, template_id(call))
    return resource, run_outputs(service.database, resource.id, since=resource.created_at)


def _shown(template: Resource, output: RunOutput, call: Call) -> dict[str, object]:
    artifact = {
        "artifactId": output.artifact_id,
        "artifactUri": artifact_uri(output, template, call.base_url),
    }
    return {
        "properties": {
            **{name: value for name, value in artifact.items() if value},
            "provisioningState": "Failed" if output.error else "Succeeded",
        },
        "id": shown_id(ids.parse(template.id).below(OUTPUTS, output.name)),
        "name": output.name,
        "type": OUTPUT_TYPE,
    }
