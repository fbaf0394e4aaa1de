"""Microsoft.Authorization, Microsoft.ManagedIdentity and the part of the Graph that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.contract.operation import Operation
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION
from vmwright.arm.providers import authorization, graph, managed_identity

if TYPE_CHECKING:
    from collections.abc import Iterator

FILTER = ("$filter",)


def described() -> Iterator[Operation]:
    """Give the operations."""
    for scope in authorization.scopes():
        at = f" at {scope}" if scope else ""
        for kind, what in (("roleDefinitions", "RoleDefinition"), ("roleAssignments", "RoleAssignment")):
            yield from _roles(f"{scope}/providers/{authorization.NAMESPACE}/{kind}", what, at)
    yield from _identities()
    for kind in ("servicePrincipals", "users"):
        many = f"{graph.ROOT}/{kind}"
        yield Operation("GET", many, f"List {kind} of the directory", {200: "Document[]"}, query=FILTER)
        yield Operation("GET", f"{many}/{{id}}", f"Show one of the {kind} of the directory")
    yield Operation("GET", f"{graph.ROOT}/me", "Show the user who calls")
    yield Operation(
        "POST",
        f"{graph.ROOT}/directoryObjects/getByIds",
        "List principals by their object ids",
        {200: "Document[]"},
        "ObjectIds",
    )


def _roles(many: str, what: str, at: str) -> Iterator[Operation]:
    one = f"{many}/{{id}}"
    yield Operation("GET", many, f"List each {what}{at}", {200: f"{what}[]"}, query=FILTER)
    yield Operation("GET", one, f"Show a {what}{at}", {200: what})
    # of a change, too, the answer for a definition is 201: clients take nothing else
    yield Operation("PUT", one, f"Make a {what}{at}, or change it", {200: what, 201: what}, what)
    yield Operation("DELETE", one, f"Delete a {what}{at}", {200: what, 204: ""})


def _identities() -> Iterator[Operation]:
    of_group = f"{GROUP}/providers/{managed_identity.TYPE}"
    one = f"{of_group}/{{name}}"
    identity, many = {200: "ManagedIdentity"}, {200: "ManagedIdentity[]"}
    everywhere = f"{SUBSCRIPTION}/providers/{managed_identity.TYPE}"
    yield Operation("GET", everywhere, "List the managed identities of the subscription", many)
    yield Operation("GET", of_group, "List the managed identities of a resource group", many)
    yield Operation("GET", one, "Show a managed identity", identity)
    made = {**identity, 201: "ManagedIdentity"}
    yield Operation("PUT", one, "Make a managed identity, or change its tags", made, "ManagedIdentity")
    yield Operation("PATCH", one, "Change the tags of a managed identity", identity, "Tagged")
    yield Operation("DELETE", one, "Delete a managed identity")
