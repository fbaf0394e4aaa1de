"""Resource providers and features: what there is, and whether the subscription has registered it.

Every namespace of the table, and every feature, is registered from the start. What is unregistered says so
and works all the same: there is nothing here that a registration would switch on.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

from vmwright.arm.http.answer import Answer, listed, ok
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route
from vmwright.arm.ids import ResourceId
from vmwright.arm.namespaces import namespaces
from vmwright.regions import DISPLAY_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.http.call import Call
    from vmwright.arm.namespaces import Namespace
    from vmwright.arm.service import Service

KEPT_AS = "Microsoft.Resources/registrations"
REGISTERED, UNREGISTERED = "Registered", "Unregistered"
STATES = {"register": REGISTERED, "unregister": UNREGISTERED}
PROVIDERS = "/subscriptions/{subscription}/providers"
FEATURES = f"{PROVIDERS}/Microsoft.Features/providers/{{namespace}}/features"


def routes(service: Service) -> Iterator[Route]:
    """Return the ways to providers and features."""
    registrations = _Registrations(service)
    for pattern, handler in {
        PROVIDERS: registrations.list,
        f"{PROVIDERS}/{{namespace}}": registrations.get,
        f"{FEATURES}/{{feature}}": registrations.get_feature,
        "/providers": registrations.list,
        "/providers/{namespace}": registrations.get,
    }.items():
        yield Route(method="GET", pattern=pattern, handler=handler)
    for verb, state in STATES.items():
        for pattern, write in (
            (f"{PROVIDERS}/{{namespace}}/{verb}", registrations.write),
            (f"{FEATURES}/{{feature}}/{verb}", registrations.write_feature),
        ):
            yield Route(method="POST", pattern=pattern, handler=functools.partial(write, state))


class _Registrations:
    def __init__(self, service: Service) -> None:
        self._store = service.store
        self._subscription = service.subscription

    async def list(self, _call: Call) -> Answer:
        return listed(list(await asyncio.to_thread(self._all)))

    async def get(self, call: Call) -> Answer:
        namespace = _namespace(call)
        state = await asyncio.to_thread(self._state, self._id(namespace.name))
        return ok(self._provider(namespace, state))

    async def write(self, state: str, call: Call) -> Answer:
        namespace = _namespace(call)
        await asyncio.to_thread(self._keep, self._id(namespace.name), state, call)
        return ok(self._provider(namespace, state))

    async def get_feature(self, call: Call) -> Answer:
        feature = self._id(_namespace(call).name, call.names["feature"])
        return ok(self._feature(feature, await asyncio.to_thread(self._state, feature)))

    async def write_feature(self, state: str, call: Call) -> Answer:
        feature = self._id(_namespace(call).name, call.names["feature"])
        await asyncio.to_thread(self._keep, feature, state, call)
        return ok(self._feature(feature, state))

    def _all(self) -> Iterator[object]:
        kept = self._store.find_all(kind=KEPT_AS, subscription=self._subscription)
        states = {row.id.lower(): str(row.body["state"]) for row in kept}
        for namespace in namespaces().values():
            yield self._provider(namespace, states.get(self._id(namespace.name).key, REGISTERED))

    def _state(self, wanted: ResourceId) -> str:
        kept = self._store.find(wanted)
        return REGISTERED if kept is None else str(kept.body["state"])

    def _keep(self, wanted: ResourceId, state: str, call: Call) -> None:
        self._store.put(
            wanted,
            kind=KEPT_AS,
            location="",
            body={"state": state},
            tags={},
            api_version=call.api_version,
            principal=call.principal.id,
        )

    def _id(self, *names: str) -> ResourceId:
        """Return under which id it is kept whether a namespace, or a feature of one, is registered."""
        kinds = ("registrations", "features")[: len(names)]
        return ResourceId(self._subscription, "", "Microsoft.Resources", kinds, names)

    def _provider(self, namespace: Namespace, state: str) -> dict[str, object]:
        return {
            "id": f"/subscriptions/{self._subscription}/providers/{namespace.name}",
            "namespace": namespace.name,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": state,
            "resourceTypes": [
                {
                    "resourceType": kind.name,
                    "locations": list(DISPLAY_NAMES.values()),
                    "apiVersions": list(kind.versions),
                    "capabilities": "SupportsTags, SupportsLocation",
                }
                for kind in namespace.types
            ],
        }

    def _feature(self, feature: ResourceId, state: str) -> dict[str, object]:
        namespace, name = feature.names
        around = f"/subscriptions/{self._subscription}/providers/Microsoft.Features/providers"
        return {
            "id": f"{around}/{namespace}/features/{name}",
            "name": f"{namespace}/{name}",
            "type": "Microsoft.Features/providers/features",
            "properties": {"state": state},
        }


def _namespace(call: Call) -> Namespace:
    given = call.names["namespace"]
    found = namespaces().get(given.lower())
    if found is None:
        raise ArmError(
            404,
            "InvalidResourceNamespace",
            f"The resource namespace '{given}' is invalid.",
            is_gateways=True,
        )
    return found
