"""Functions of the deployment and of resources: ids, scopes, parameters, what is deployed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.template.deployment.faults import FaultError, OpenValueError
from vmwright.template.deployment.functions.function import Function, Kind, Style
from vmwright.template.deployment.host import runtime
from vmwright.template.deployment.values import Value, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmwright.template.deployment.site import Site

GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ONE = (Kind.TEXT,)
# How many arguments may stand before the type: nothing, a resource group, a subscription and a group.
MOST_BEFORE = 2


def type_path(function: str, kind: str, names: tuple[str, ...]) -> str:
    """Return ``/providers/Microsoft.A/b/name/c/name``.

    :raises FaultError: there are not as many names as the type has parts.
    """
    provider, *parts = kind.strip("/").split("/")
    names = tuple(piece for name in names for piece in name.split("/"))
    if len(names) != len(parts):
        message = (
            f"{function}(): `{kind}` takes {len(parts)} name{'s' * (len(parts) != 1)}, not {len(names)}."
        )
        raise FaultError(message)
    pairs = "".join(f"/{part}/{name}" for part, name in zip(parts, names, strict=True))
    return f"/providers/{provider}{pairs}"


def _split(
    function: str, arguments: tuple[Value, ...], before: int
) -> tuple[list[str], str, tuple[str, ...]]:
    texts = [text_of(argument) for argument in arguments]
    for index, text in enumerate(texts[: before + 1]):
        if "/" in text:
            return texts[:index], text, tuple(texts[index + 1 :])
    raise FaultError(f"{function}() takes a type such as 'Microsoft.Compute/images', then names.")


def resource_id(site: Site, *arguments: Value) -> str:
    """Return the id of a resource of this resource group, or of another one."""
    before, kind, names = _split("resourceId", arguments, MOST_BEFORE)
    scope = site.scope.host.scope
    if len(before) == 1 and GUID.fullmatch(before[0]):
        return f"/subscriptions/{before[0]}{type_path('resourceId', kind, names)}"
    if len(before) < MOST_BEFORE:
        site.scope.used("resourceId")
    group = before[-1] if before else scope.resource_group
    subscription = before[0] if len(before) == MOST_BEFORE else scope.subscription_id
    return f"/subscriptions/{subscription}/resourceGroups/{group}{type_path('resourceId', kind, names)}"


def subscription_id(site: Site, *arguments: Value) -> str:
    """Return the id of a resource of this subscription, or of another one."""
    before, kind, names = _split("subscriptionResourceId", arguments, 1)
    subscription = before[0] if before else site.scope.host.scope.subscription_id
    return f"/subscriptions/{subscription}{type_path('subscriptionResourceId', kind, names)}"


def tenant_id(kind: str, *names: str) -> str:
    """Return the id of a resource of the tenant."""
    return type_path("tenantResourceId", kind, names)


def management_group_id(group: str, kind: str, *names: str) -> str:
    """Return the id of a resource of a management group."""
    scope = f"/providers/Microsoft.Management/managementGroups/{group}"
    return scope + type_path("managementGroupResourceId", kind, names)


def extension_id(of: str, kind: str, *names: str) -> str:
    """Return the id of an extension of a resource."""
    return of.rstrip("/") + type_path("extensionResourceId", kind, names)


def subscription(site: Site) -> Value:
    """Describe the subscription."""
    scope = site.scope.host.scope
    site.scope.used("subscription")
    return {
        "id": f"/subscriptions/{scope.subscription_id}",
        "subscriptionId": scope.subscription_id,
        "tenantId": scope.tenant_id,
        "displayName": scope.subscription_id,
    }


def resource_group(site: Site) -> Value:
    """Describe the resource group."""
    scope = site.scope.host.scope
    if not scope.resource_group:
        raise FaultError("resourceGroup(): this deployment goes to a subscription, not to a resource group.")
    if not scope.location:
        raise OpenValueError
    site.scope.used("resourceGroup")
    return {
        "id": scope.group_id,
        "name": scope.resource_group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": scope.location,
        "tags": dict(scope.tags),
        "properties": {"provisioningState": "Succeeded"},
    }


def tenant(site: Site) -> Value:
    """Describe the tenant."""
    return {"id": f"/tenants/{site.scope.host.scope.tenant_id}", "tenantId": site.scope.host.scope.tenant_id}


def deployment(site: Site) -> Value:
    """Describe the deployment, without its template."""
    scope = site.scope.host.scope
    return Known(
        "deployment()",
        {
            "name": scope.deployment,
            "location": scope.location,
            "properties": {"mode": "Incremental"},
        },
    )


class Known(dict[str, Value]):
    """What is known of something that Azure knows more about; other keys are a value only it knows.

    :param open_keys: those whose values are not there yet.
    """

    def __init__(self, of: str, values: dict[str, Value], *, open_keys: Iterable[str] = ()) -> None:
        super().__init__()
        self.of = of
        self._open_keys = {key.casefold() for key in open_keys}
        for key, value in values.items():
            is_plain = isinstance(value, dict) and not isinstance(value, Known)
            self[key] = Known(f"{of}.{key}", value) if is_plain and isinstance(value, dict) else value

    def unknown(self, key: str) -> FaultError | OpenValueError:
        """Return the fault of a key that is not here."""
        if key.casefold() in self._open_keys:
            return OpenValueError()
        return runtime(f"{self.of}.{key}")


def environment() -> Value:
    """Describe the public cloud."""
    return {
        "name": "AzureCloud",
        "gallery": "https://gallery.azure.com/",
        "graph": "https://graph.windows.net/",
        "portal": "https://portal.azure.com",
        "graphAudience": "https://graph.windows.net/",
        "resourceManager": "https://management.azure.com/",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com/",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {
            "acrLoginServer": ".azurecr.io",
            "keyvaultDns": ".vault.azure.net",
            "sqlServerHostname": ".database.windows.net",
            "storage": "core.windows.net",
        },
    }


def reference(site: Site, name: str, *rest: Value) -> Value:
    """Return the properties of a resource: of this template, or as the host knows them."""
    version = text_of(rest[0]) if rest else ""
    full = len(rest) > 1 and text_of(rest[1]).lower() == "full"
    return site.scope.reference(site, name, version=version, full=full)


def copy_index(site: Site, first: Value = None, second: Value = None) -> int:
    """Return the index of a loop: the innermost, or the named one, with an offset."""
    name = first if isinstance(first, str) else None
    offset = first if isinstance(first, int) else second
    return site.copy_index(name) + (offset if isinstance(offset, int) else 0)


FUNCTIONS = (
    Function("parameters", lambda site, name: site.parameter(name), ONE, style=Style.SITE, makes=False),
    Function("variables", lambda site, name: site.variable(name), ONE, style=Style.SITE, makes=False),
    Function("copyIndex", copy_index, (Kind.TEXT | Kind.INTEGER, Kind.INTEGER), needs=0, style=Style.SITE),
    Function("deployment", deployment, style=Style.SITE, makes=False),
    Function("environment", environment),
    Function("subscription", subscription, style=Style.SITE),
    Function("resourceGroup", resource_group, style=Style.SITE),
    Function("tenant", tenant, style=Style.SITE),
    Function("reference", reference, ONE, more=Kind.TEXT, style=Style.SITE, makes=False),
    Function("resourceId", resource_id, ONE, more=Kind.TEXT, style=Style.SITE),
    Function("subscriptionResourceId", subscription_id, ONE, more=Kind.TEXT, style=Style.SITE),
    Function("tenantResourceId", tenant_id, ONE, more=Kind.TEXT),
    Function("managementGroupResourceId", management_group_id, (Kind.TEXT, Kind.TEXT), more=Kind.TEXT),
    Function("extensionResourceId", extension_id, (Kind.TEXT, Kind.TEXT), more=Kind.TEXT),
)
