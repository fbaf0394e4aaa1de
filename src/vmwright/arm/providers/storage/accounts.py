"""The storage account of a template's staging group, as a resource (reference §7, §14).

It is made with the group and gone with it. Nobody else makes accounts here, and none has keys: what is in one
is read with a token, or with an address that is signed for a time.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from vmwright.arm import checks, ids
from vmwright.arm.http.answer import listed, ok
from vmwright.arm.http.errors import ArmError, not_found
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION, Route
from vmwright.arm.ids import ResourceId
from vmwright.arm.providers.storage.signatures import Grant, Signatures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.call import Call
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource, ResourceStore

NAMESPACE, ACCOUNTS = "Microsoft.Storage", "storageAccounts"
ACCOUNT_TYPE = f"{NAMESPACE}/{ACCOUNTS}"
API_VERSION = "2024-01-01"
VHDS, LOGS = "vhds", "packerlogs"
# In an account's body: the id of its template. No answer shows it.
OF_TEMPLATE = "template"
ACCOUNT = f"{GROUP}/providers/{ACCOUNT_TYPE}/{{name}}"
NAME_LENGTH = 24
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
LONGEST = timedelta(days=30)


def account_id(group: ResourceId, template: ResourceId) -> ResourceId:
    """Return the id of a template's account: 24 letters and digits that no other template has."""
    number = int.from_bytes(hashlib.sha256(f"{group.key}\n{template.key}".encode()).digest())
    name = ""
    for _ in range(NAME_LENGTH):
        number, digit = divmod(number, len(DIGITS))
        name += DIGITS[digit]
    return ResourceId(group.subscription, group.group, NAMESPACE, (ACCOUNTS,), (name,))


def make(store: ResourceStore, group: ResourceId, template: Resource, tags: Mapping[str, str]) -> None:
    """Make the account of a template in its staging group; one that is there stays."""
    store.put(
        account_id(group, ids.parse(template.id)),
        kind=ACCOUNT_TYPE,
        location=template.location,
        body={
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS", "tier": "Standard"},
            "properties": {
                "provisioningState": "Succeeded",
                "primaryLocation": template.location,
                "statusOfPrimary": "available",
                "supportsHttpsTrafficOnly": True,
                "allowBlobPublicAccess": False,
                "allowSharedKeyAccess": False,
            },
            OF_TEMPLATE: template.id,
        },
        tags=tags,
        api_version=API_VERSION,
        principal=template.created_by,
    )


def remove(store: ResourceStore, group: ResourceId, template: ResourceId) -> None:
    """Remove the account of a template."""
    store.remove(account_id(group, template))


def address(base_url: str, account: str) -> str:
    """Return where the blobs of an account are, at the host by which a client reaches the service."""
    return f"{base_url}/{account}"


def routes(service: Service, signatures: Signatures) -> Iterator[Route]:
    """Give the ways to accounts."""

    async def get(call: Call) -> Answer:
        return ok(_shown(await asyncio.to_thread(_get, call, service), call))

    async def list_(call: Call) -> Answer:
        found = await asyncio.to_thread(_list, call, service)
        return listed([_shown(account, call) for account in found])

    async def list_keys(call: Call) -> Answer:
        account = await asyncio.to_thread(_get, call, service)
        raise ArmError(
            409,
            "KeyBasedAuthenticationNotPermitted",
            f"Key based authentication is not permitted on this storage account: {account.name} has no keys. "
            "Hint: read its blobs with a token, or ask listServiceSas for an address that is signed.",
        )

    async def list_service_sas(call: Call) -> Answer:
        account = await asyncio.to_thread(_get, call, service)
        grant = _asked(call.document(), account.name, datetime.now(UTC))
        return ok({"serviceSasToken": await asyncio.to_thread(signatures.sign, grant)})

    yield Route(method="GET", pattern=ACCOUNT, handler=get)
    yield Route(method="GET", pattern=f"{GROUP}/providers/{ACCOUNT_TYPE}", handler=list_)
    yield Route(method="GET", pattern=f"{SUBSCRIPTION}/providers/{ACCOUNT_TYPE}", handler=list_)
    yield Route(method="POST", pattern=f"{ACCOUNT}/listKeys", handler=list_keys)
    yield Route(method="POST", pattern=f"{ACCOUNT}/listServiceSas", handler=list_service_sas)


def _get(call: Call, service: Service) -> Resource:
    subscription, group, name = (call.names[part] for part in ("subscription", "group", "name"))
    found = service.store.find(ResourceId(subscription, group, NAMESPACE, (ACCOUNTS,), (name,)))
    if found is None:
        checks.find_group(service.store, subscription, group)
        raise not_found(ACCOUNT_TYPE, name, group)
    return found


def _list(call: Call, service: Service) -> list[Resource]:
    subscription, group = call.names["subscription"], call.names.get("group")
    if group is not None:
        checks.find_group(service.store, subscription, group)
    return service.store.find_all(kind=ACCOUNT_TYPE, subscription=subscription, group=group)


def _shown(account: Resource, call: Call) -> dict[str, Any]:
    document = {name: value for name, value in account.document().items() if name != OF_TEMPLATE}
    blob = f"{address(call.base_url, account.name)}/"
    return {**document, "properties": {**document["properties"], "primaryEndpoints": {"blob": blob}}}


def _asked(document: Mapping[str, Any], account: str, now: datetime) -> Grant:
    """Return what a request for a signature asks for.

    :raises ArmError: it is more than may be given, or something that no address here has.
    """
    for name in document:
        if name not in {
            "canonicalizedResource",
            "signedResource",
            "signedPermission",
            "signedExpiry",
            "signedStart",
            "signedProtocol",
        }:
            raise _invalid(name, "is not supported here")
    kind = document.get("signedResource")
    if not isinstance(kind, str) or kind not in {"b", "c"}:
        raise _invalid("signedResource", "is b, for one blob, or c, for all in a container")
    if document.get("signedPermission") != "r":
        raise _invalid("signedPermission", "is r: blobs are read only")
    if str(document.get("signedProtocol", "https")) not in {"https", "https,http"}:
        raise _invalid("signedProtocol", "is https")
    expires_at = _time(document.get("signedExpiry"), "signedExpiry")
    if not now < expires_at <= now + LONGEST:
        raise _invalid("signedExpiry", f"lies within the next {LONGEST.days} days")
    starts_at = _time(document["signedStart"], "signedStart") if "signedStart" in document else now
    return Grant(
        resource=_resource(document.get("canonicalizedResource"), account, kind),
        kind=kind,
        expires_at=expires_at,
        starts_at=starts_at if starts_at > now else None,
    )


def _resource(given: object, account: str, kind: str) -> str:
    parts = given.strip("/").split("/") if isinstance(given, str) else []
    is_ours = parts[:2] == ["blob", account] and parts[2:3] in ([VHDS], [LOGS])
    if not is_ours or (len(parts) > len(("blob", "account", "container"))) != (kind == "b"):
        example = f"/blob/{account}/{VHDS}" + ("/NAME.vhd" if kind == "b" else "")
        raise _invalid(
            "canonicalizedResource", f"is a blob of this account or a container, such as {example}"
        )
    return "/".join(parts[1:])


def _time(given: object, name: str) -> datetime:
    try:
        if isinstance(given, str):
            at = datetime.fromisoformat(given)
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise _invalid(name, "is a time in UTC, such as 2030-01-31T12:00:00Z")


def _invalid(name: str, why: str) -> ArmError:
    return ArmError(400, "InvalidValuesForRequestParameters", f"`{name}` {why}.", target=name)
