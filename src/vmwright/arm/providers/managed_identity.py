"""Microsoft.ManagedIdentity: user-assigned identities, each a principal that can be given roles."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from vmwright.arm.checks import check_stays, find_group_to_write, location_of, tags_of
from vmwright.arm.http.answer import Answer, listed, ok
from vmwright.arm.http.errors import ArmError, not_found
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION, Route
from vmwright.arm.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.access.access import Access
    from vmwright.arm.http.call import Call
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource

NAMESPACE = "Microsoft.ManagedIdentity"
KIND = "userAssignedIdentities"
TYPE = f"{NAMESPACE}/{KIND}"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}")


def routes(service: Service, access: Access) -> Iterator[Route]:
    """Give the routes of Microsoft.ManagedIdentity."""
    calls = IdentityCalls(service, access)
    of_group = f"{GROUP}/providers/{TYPE}"
    yield Route(method="GET", pattern=f"{SUBSCRIPTION}/providers/{TYPE}", handler=calls.all)
    yield Route(method="GET", pattern=of_group, handler=calls.all)
    yield Route(method="GET", pattern=f"{of_group}/{{name}}", handler=calls.one)
    yield Route(method="PUT", pattern=f"{of_group}/{{name}}", handler=calls.put)
    yield Route(method="PATCH", pattern=f"{of_group}/{{name}}", handler=calls.patch)
    yield Route(method="DELETE", pattern=f"{of_group}/{{name}}", handler=calls.delete)


class IdentityCalls:
    """What is asked of user-assigned identities."""

    def __init__(self, service: Service, access: Access) -> None:
        self._service = service
        self._access = access

    async def all(self, call: Call) -> Answer:
        """List identities of a group, or of the subscription."""
        found = await asyncio.to_thread(
            self._service.store.find_all,
            kind=TYPE,
            subscription=call.names["subscription"],
            group=call.names.get("group"),
        )
        return listed([_document(identity) for identity in found])

    async def one(self, call: Call) -> Answer:
        """Show an identity."""
        found = await asyncio.to_thread(self._service.store.find, _id(call))
        if found is None:
            raise _not_found(call)
        return ok(_document(found))

    async def put(self, call: Call) -> Answer:
        """Make an identity, or change its tags: done when it is answered, as clients expect of it."""
        identity, is_new = await asyncio.to_thread(self._put, call)
        document = _document(identity)
        if not is_new:
            return ok(document)
        return Answer(status=201, body=document, headers={"Location": document["id"]})

    async def patch(self, call: Call) -> Answer:
        """Change the tags of an identity."""
        document = call.document()
        changed = {"tags": tags_of(document)} if document.get("tags") is not None else {}
        identity = await asyncio.to_thread(self._service.store.update, _id(call), **changed)
        if identity is None:
            raise _not_found(call)
        return ok(_document(identity))

    async def delete(self, call: Call) -> Answer:
        """Remove an identity; it ends as a principal first, so that nothing can be done with it any more."""
        identity_id = _id(call)
        await self._access.remove_all(identity_id)
        is_gone = await asyncio.to_thread(self._service.store.remove, identity_id)
        return Answer(status=200 if is_gone else 204)

    def _put(self, call: Call) -> tuple[Resource, bool]:
        identity_id, document = _id(call), call.document()
        if not NAME.fullmatch(identity_id.name):
            raise ArmError(
                400,
                "InvalidResourceName",
                f"The name '{identity_id.name}' is not valid: 3 to 128 letters, digits, hyphens and "
                "underscores, a letter or digit first.",
            )
        find_group_to_write(self._service.store, identity_id.subscription, identity_id.group)
        location, tags = location_of(document, TYPE), tags_of(document)
        existing = self._service.store.find(identity_id)
        if existing is not None:
            check_stays(existing, location)
        principal = self._access.directory.managed(identity_id)
        return self._service.store.put(
            identity_id,
            kind=TYPE,
            location=location,
            tags=tags,
            body={
                "properties": {
                    "tenantId": self._service.tenant,
                    "principalId": principal.id,
                    "clientId": principal.app_id,
                }
            },
            api_version=call.api_version,
            principal=call.principal.id,
        )


def _id(call: Call) -> ResourceId:
    names = call.names
    return ResourceId(names["subscription"], names["group"], NAMESPACE, (KIND,), (names["name"],))


def _document(identity: Resource) -> dict[str, Any]:
    # the real service writes the group's part of these ids in lower case
    return {**identity.document(), "id": identity.id.replace("/resourceGroups/", "/resourcegroups/", 1)}


def _not_found(call: Call) -> ArmError:
    return not_found(TYPE, call.names["name"], call.names["group"])
