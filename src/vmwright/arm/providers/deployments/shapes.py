"""What answers show of deployments, as ARM shows it (azure-clients.md, section 6)."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vmwright.arm.ids import parse
from vmwright.arm.providers.deployments.places import address
from vmwright.arm.providers.deployments.requests import INCREMENTAL
from vmwright.template.document import plain_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vmwright.arm.http.errors import ArmError
    from vmwright.arm.providers.deployments.planning import Plan
    from vmwright.arm.providers.deployments.requests import Wanted
    from vmwright.arm.store import Resource
    from vmwright.template.deployment import Resource as Evaluated

# How ARM writes the types of parameters and outputs in what it shows.
TYPES: Mapping[str, str] = MappingProxyType(
    {
        "string": "String",
        "int": "Int",
        "bool": "Bool",
        "array": "Array",
        "object": "Object",
        "securestring": "SecureString",
        "secureobject": "SecureObject",
    }
)


def shown(deployment: Resource) -> dict[str, Any]:
    """Return a deployment as it is shown; those to subscriptions have a location."""
    document: dict[str, Any] = {
        "id": deployment.id,
        "name": deployment.name,
        "type": deployment.type,
        "properties": dict(deployment.properties),
    }
    if not parse(deployment.id).group:
        document["location"] = deployment.location
    if deployment.tags:
        document["tags"] = dict(deployment.tags)
    return document


def properties_of(wanted: Wanted, plan: Plan, *, correlation_id: str) -> dict[str, Any]:
    """Return what a deployment shows of itself from the beginning."""
    return {
        **wanted.links,
        "templateHash": template_hash(plain_object(wanted.template)),
        "parameters": typed(plan.deployment.values),
        "mode": INCREMENTAL,
        "correlationId": correlation_id,
        "providers": providers_of(plan),
        "dependencies": dependencies_of(plan),
    }


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters or outputs, ``{name: {type, value}}``; what is secret has no value."""
    found = {}
    for name, one in values.items():
        kind = TYPES.get(str(one["type"]).lower(), str(one["type"]))
        is_secret = kind.startswith("Secure")
        found[name] = {"type": kind} | ({} if is_secret or "value" not in one else {"value": one["value"]})
    return found


def template_hash(template: Mapping[str, Any]) -> str:
    """Return a number that equal templates share, whatever their order and layout.

    How ARM makes its own is not known; clients compare it with others of the same service.
    """
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))


def providers_of(plan: Plan) -> list[dict[str, Any]]:
    """Return the namespaces and types of what a template deploys, with their locations."""
    found: dict[str, dict[str, set[str]]] = {}
    for step in plan.steps:
        namespace, _, kind = step.resource.type.partition("/")
        location = step.body.get("location")
        locations = found.setdefault(namespace, {}).setdefault(kind, set())
        locations |= {location.lower().replace(" ", "")} if isinstance(location, str) else set()
    return [
        {
            "namespace": namespace,
            "resourceTypes": [
                {"resourceType": kind, "locations": sorted(locations) or [None]}
                for kind, locations in kinds.items()
            ],
        }
        for namespace, kinds in found.items()
    ]


def dependencies_of(plan: Plan) -> list[dict[str, Any]]:
    """Return which resources name which others as those that they need."""
    deployment = plan.deployment
    all_of_them = [*deployment.resources, *(one.resource for one in deployment.nested)]
    by_id = {one.id.casefold(): one for one in all_of_them}
    found = []
    for one in all_of_them:
        needed = [by_id[key] for key in sorted(one.after) if key in by_id and by_id[key].within == one.within]
        if needed:
            found.append({"dependsOn": [target(other) for other in needed], **target(one)})
    return found


def target(resource: Evaluated) -> dict[str, str]:
    """Return what a resource is called."""
    path = address(resource.id)
    return {"id": path, "resourceType": resource.type, "resourceName": resource.name}


def operation_of(resource: Evaluated, state: str, status: int, error: ArmError | None) -> dict[str, Any]:
    """Return what an operation of a deployment shows of a resource and of how it went.

    :param status: HTTP's.
    """
    properties = {
        "provisioningOperation": "Create",
        "provisioningState": state,
        "statusCode": HTTPStatus(status).phrase.replace(" ", ""),
        "targetResource": target(resource),
    }
    if error is not None:
        properties["statusMessage"] = {"status": state, "error": error.inner()}
    return properties


def ids_of(steps: Iterable[str]) -> list[dict[str, str]]:
    """Return resources by their ids."""
    return [{"id": one} for one in steps]


def operation(document: Resource) -> dict[str, Any]:
    """Return an operation of a deployment."""
    return {"id": document.id, "operationId": document.name, "properties": dict(document.properties)}
