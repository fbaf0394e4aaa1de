"""The small part of the Graph that clients need when they assign roles (azure-clients.md, section 4).

It lies below ``/graph``, as the service's metadata say, and has no api-versions. Whoever has a token may
read it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vmwright.arm.access.directory import USER
from vmwright.arm.conditions import conditions
from vmwright.arm.http.answer import ok
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.access.directory import Directory, Entry
    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.call import Call

ROOT = "/graph/v1.0"
MOST_IDS = 1000


def routes(directory: Directory) -> Iterator[Route]:
    """Give the Graph's routes."""
    graph = Graph(directory)
    yield Route(
        method="GET", pattern=f"{ROOT}/servicePrincipals", handler=graph.service_principals, action=""
    )
    yield Route(
        method="GET", pattern=f"{ROOT}/servicePrincipals/{{id}}", handler=graph.service_principal, action=""
    )
    yield Route(method="GET", pattern=f"{ROOT}/users", handler=graph.users, action="")
    yield Route(method="GET", pattern=f"{ROOT}/users/{{id}}", handler=graph.user, action="")
    yield Route(method="GET", pattern=f"{ROOT}/me", handler=graph.me, action="")
    yield Route(method="POST", pattern=f"{ROOT}/directoryObjects/getByIds", handler=graph.by_ids, action="")


class Graph:
    """Principals, as the Graph shows them."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def service_principals(self, call: Call) -> Answer:
        """List service principals, by a client id or a name where the filter has one."""
        asked = conditions(call.query, {"serviceprincipalnames", "appid", "displayname"})
        found = await asyncio.to_thread(
            self._directory.service_principals,
            app_id=asked.get("serviceprincipalnames", asked.get("appid")),
            name=asked.get("displayname"),
        )
        return _listed(found)

    async def service_principal(self, call: Call) -> Answer:
        """Show a service principal by its object id or client id."""
        given = call.names["id"]
        found = [
            *await asyncio.to_thread(self._directory.find, given),
            *await asyncio.to_thread(self._directory.service_principals, app_id=given),
        ]
        return _one([entry for entry in found if entry.kind != USER], given)

    async def users(self, call: Call) -> Answer:
        """List users, by a name where the filter has one."""
        asked = conditions(call.query, {"userprincipalname"})
        return _listed(await asyncio.to_thread(self._directory.users, name=asked.get("userprincipalname")))

    async def user(self, call: Call) -> Answer:
        """Show a user by its object id or its name."""
        given = call.names["id"]
        found = [
            *await asyncio.to_thread(self._directory.find, given),
            *await asyncio.to_thread(self._directory.users, name=given),
        ]
        return _one([entry for entry in found if entry.kind == USER], given)

    async def me(self, call: Call) -> Answer:
        """Show who calls, where that is a user."""
        found = await asyncio.to_thread(self._directory.find, call.principal.id)
        users = [entry for entry in found if entry.kind == USER]
        if not users:
            raise ArmError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
        return _one(users, call.principal.id)

    async def by_ids(self, call: Call) -> Answer:
        """List the principals of some object ids; those that there are not are left out."""
        ids = call.document().get("ids")
        if (
            not isinstance(ids, list)
            or len(ids) > MOST_IDS
            or not all(isinstance(one, str) and one.isprintable() for one in ids)
        ):
            raise ArmError(
                400, "Request_BadRequest", f"The property 'ids' is a list of at most {MOST_IDS} object ids."
            )
        return _listed(await asyncio.to_thread(self._directory.find, *ids))


def _listed(entries: list[Entry]) -> Answer:
    return ok({"value": [_document(entry) for entry in entries]})


def _one(entries: list[Entry], given: str) -> Answer:
    if not entries:
        raise ArmError(
            404,
            "Request_ResourceNotFound",
            f"Resource '{given}' does not exist or one of its queried reference-property objects are not "
            "present.",
        )
    return ok(_document(entries[0]))


def _document(entry: Entry) -> dict[str, Any]:
    if entry.kind == USER:
        return {
            "@odata.type": "#microsoft.graph.user",
            "id": entry.id,
            "displayName": entry.display_name,
            "userPrincipalName": entry.name,
        }
    return {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": entry.id,
        "appId": entry.app_id,
        "displayName": entry.display_name,
        "servicePrincipalNames": [entry.app_id],
        "servicePrincipalType": "ManagedIdentity" if entry.is_managed else "Application",
        "alternativeNames": ["isExplicit=True", entry.name] if entry.is_managed else [],
        "accountEnabled": True,
    }
