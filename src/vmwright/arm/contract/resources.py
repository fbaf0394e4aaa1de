"""Subscriptions, groups, providers, resources of any type: what is ARM's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.contract.operation import ODATA, Operation
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION
from vmwright.arm.providers.groups import GROUPS, RESULTS
from vmwright.arm.providers.registrations import FEATURES, PROVIDERS, STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBSCRIPTIONS = "/subscriptions"


def described() -> Iterator[Operation]:
    """Give the operations."""
    many = {200: "Document[]"}
    yield Operation("GET", "/tenants", "List the tenants", many)
    yield Operation("GET", SUBSCRIPTIONS, "List the subscriptions", many)
    yield Operation("GET", SUBSCRIPTION, "Show a subscription")
    yield Operation("GET", f"{SUBSCRIPTION}/locations", "List the regions", many)
    yield from _groups()
    for around, where in ((SUBSCRIPTION, "the subscription"), (GROUP, "a resource group")):
        about = f"List all resources of {where}"
        yield Operation("GET", f"{around}/resources", about, {200: "Resource[]"}, query=(*ODATA, "$expand"))
    for pattern, where in (("/providers", ""), (PROVIDERS, " of the subscription")):
        yield Operation("GET", pattern, f"List the resource providers{where}", many)
        yield Operation("GET", f"{pattern}/{{namespace}}", f"Show a resource provider{where}")
    yield Operation("GET", f"{FEATURES}/{{feature}}", "Show a feature")
    for verb in STATES:
        yield Operation(
            "POST", f"{PROVIDERS}/{{namespace}}/{verb}", f"{verb.capitalize()} a resource provider"
        )
        yield Operation("POST", f"{FEATURES}/{{feature}}/{verb}", f"{verb.capitalize()} a feature")


def _groups() -> Iterator[Operation]:
    group = {200: "ResourceGroup"}
    yield Operation("GET", GROUPS, "List the resource groups", {200: "ResourceGroup[]"}, query=ODATA)
    yield Operation("GET", GROUP, "Show a resource group", group)
    yield Operation("HEAD", GROUP, "Tell whether there is a resource group")
    made = {**group, 201: "ResourceGroup"}
    yield Operation("PUT", GROUP, "Make a resource group, or change it", made, "ResourceGroup")
    yield Operation("PATCH", GROUP, "Change the tags of a resource group", group, "Tagged")
    yield Operation("DELETE", GROUP, "Delete a resource group and all in it", {202: ""}, polled=(202,))
    yield Operation(
        "GET", RESULTS, "Tell whether a resource group has gone", {200: "", 202: ""}, polled=(202,)
    )
