"""Microsoft.VirtualMachineImages (reference §1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.contract.operation import Operation
from vmwright.arm.contract.template_schema import SENT, SHOWN
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION
from vmwright.arm.providers.image_templates.names import NAMESPACE, OUTPUTS, TEMPLATE, TEMPLATE_TYPE, TRIGGERS

if TYPE_CHECKING:
    from collections.abc import Iterator

CANCEL_SINCE = "2020-02-14"
POLL = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}/operations/{{id}}"
SKIP = ("$skipToken",)
ACCEPTED = {202: ""}
GONE = {202: "", 204: ""}


def described() -> Iterator[Operation]:
    """Give the operations."""
    template, templates = {200: SHOWN}, {200: f"{SHOWN}[]"}
    made = {200: SHOWN, 201: SHOWN}
    yield Operation("PUT", TEMPLATE, "Make an image template, or change it", made, SENT, polled=(200, 201))
    yield Operation("GET", TEMPLATE, "Show an image template", template)
    yield Operation(
        "PATCH", TEMPLATE, "Change an image template", ACCEPTED, "ImageTemplatePatch", polled=(202,)
    )
    yield Operation("DELETE", TEMPLATE, "Delete an image template", GONE, polled=(202,))
    for around, where in ((GROUP, "a resource group"), (SUBSCRIPTION, "the subscription")):
        pattern = f"{around}/providers/{TEMPLATE_TYPE}"
        yield Operation("GET", pattern, f"List the image templates of {where}", templates, query=SKIP)
    yield Operation("POST", f"{TEMPLATE}/run", "Build an image", ACCEPTED, polled=(202,))
    yield Operation("POST", f"{TEMPLATE}/cancel", "Cancel the build", {204: ""}, since=CANCEL_SINCE)
    outputs = f"{TEMPLATE}/{OUTPUTS}"
    yield Operation("GET", outputs, "List what the builds of a template have made", {200: "RunOutput[]"})
    yield Operation("GET", f"{outputs}/{{output}}", "Show what builds have made", {200: "RunOutput"})
    triggers = f"{TEMPLATE}/{TRIGGERS}"
    trigger, made = f"{triggers}/{{trigger}}", {200: "Trigger", 201: "Trigger"}
    yield Operation("PUT", trigger, "Make a trigger, or change it", made, "Trigger", polled=(200, 201))
    yield Operation("GET", trigger, "Show a trigger", {200: "Trigger"})
    yield Operation("GET", triggers, "List the triggers of a template", {200: "Trigger[]"})
    yield Operation("DELETE", trigger, "Delete a trigger", GONE, polled=(202,))
    operations = f"/providers/{NAMESPACE}/operations"
    yield Operation("GET", operations, "List what the provider can do", {200: "ProviderOperation[]"})
    yield Operation("GET", POLL, "Show how an operation goes", {200: "OperationStatus"})
