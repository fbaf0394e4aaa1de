"""What the provider can do, and how its long-running operations go (reference §1, §2)."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.http.answer import listed
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import SUBSCRIPTION, Route
from vmwright.arm.operations import polled
from vmwright.arm.providers.image_templates.addresses import located
from vmwright.arm.providers.image_templates.names import (
    NAMESPACE,
    OUTPUTS,
    TEMPLATES,
    TRIGGERS,
    check_version,
)
from vmwright.arm.providers.image_templates.runs import settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.call import Call
    from vmwright.arm.operations import Operation
    from vmwright.arm.service import Service

PROVIDER = "Virtual Machine Image Builder"
TEMPLATE, OUTPUT, TRIGGER = "VM Image template", "VM Image template run output", "Trigger"
# Name below the namespace, the resource, what is done, and to what.
KNOWN = (
    ("register/action", "Operation", "Register", "Register the image builder resource provider"),
    ("unregister/action", "Operation", "Unregister", "Unregister the image builder resource provider"),
    (f"{TEMPLATES}/read", TEMPLATE, "Get", "Read an image template"),
    (f"{TEMPLATES}/write", TEMPLATE, "Create or update", "Write an image template"),
    (f"{TEMPLATES}/delete", TEMPLATE, "Delete", "Delete an image template"),
    (f"{TEMPLATES}/run/action", TEMPLATE, "Run", "Build an image template"),
    (f"{TEMPLATES}/cancel/action", TEMPLATE, "Cancel", "Cancel a build of an image template"),
    (f"{TEMPLATES}/{OUTPUTS}/read", OUTPUT, "Get", "Read what a build has made"),
    (f"{TEMPLATES}/{TRIGGERS}/read", TRIGGER, "Get", "Read a trigger of an image template"),
    (f"{TEMPLATES}/{TRIGGERS}/write", TRIGGER, "Create", "Write a trigger of an image template"),
    (f"{TEMPLATES}/{TRIGGERS}/delete", TRIGGER, "Delete", "Delete a trigger of an image template"),
    ("operations/read", "Operation", "List", "List what the resource provider can do"),
    ("locations/operations/read", "Asynchronous Operation", "Get", "Read how an operation goes"),
)


def routes(service: Service) -> Iterator[Route]:
    """Give the ways to what the provider can do, and to its operations."""

    async def known(call: Call) -> Answer:
        check_version(call)
        return listed([_described(*one) for one in KNOWN])

    async def poll(call: Call) -> Answer:
        return await asyncio.to_thread(_poll, call, service)

    yield Route(method="GET", pattern=f"/providers/{NAMESPACE}/operations", handler=known)
    pattern = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}/operations/{{id}}"
    yield Route(method="GET", pattern=pattern, handler=poll)


def _poll(call: Call, service: Service) -> Answer:
    check_version(call)
    found = service.operations.find(call.names["id"])
    if found is None or found.subscription.lower() != call.names["subscription"].lower():
        raise ArmError(404, "ResourceNotFound", f"There is no operation {call.names['id']}.")
    return polled(_located(settled(found, service), call, service))


def _located(operation: Operation, call: Call, service: Service) -> Operation:
    """Return an operation whose error says where this client finds the build's log."""
    if operation.build_id is None or operation.error is None:
        return operation
    template = service.store.find(ids.parse(operation.resource_id))
    if template is None:
        return operation
    message = located(operation.error["message"], template, call.base_url)
    return dataclasses.replace(operation, error={**operation.error, "message": message})


def _described(name: str, resource: str, operation: str, description: str) -> dict[str, object]:
    display = {
        "provider": PROVIDER,
        "resource": resource,
        "operation": operation,
        "description": description,
    }
    return {"name": f"{NAMESPACE}/{name}", "display": display, "isDataAction": False}
