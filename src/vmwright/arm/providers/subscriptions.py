"""The subscription, the tenant and the regions: what clients ask for when they log in."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from vmwright.arm.http.answer import Answer, listed, ok
from vmwright.arm.http.routing import Route
from vmwright.regions import DISPLAY_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.http.call import Call
    from vmwright.arm.service import Service

NAME = "vmwright"
# The geographies that Azure groups its regions by, and how they are written in front of a region's name.
GEOGRAPHIES = {
    "Africa": ("southafricanorth",),
    "Asia Pacific": (
        "australiaeast",
        "australiasoutheast",
        "centralindia",
        "chinanorth3",
        "eastasia",
        "japaneast",
        "jioindiawest",
        "koreacentral",
        "newzealandnorth",
        "southeastasia",
        "taiwannorthwest",
    ),
    "Canada": ("canadacentral",),
    "Europe": (
        "francecentral",
        "germanywestcentral",
        "italynorth",
        "northeurope",
        "norwayeast",
        "polandcentral",
        "swedencentral",
        "switzerlandnorth",
        "uksouth",
        "ukwest",
        "westeurope",
    ),
    "Middle East": ("israelcentral", "qatarcentral", "uaenorth"),
    "South America": ("brazilsouth",),
    "US": (
        "centralus",
        "eastus",
        "eastus2",
        "northcentralus",
        "southcentralus",
        "usgovarizona",
        "usgovvirginia",
        "westcentralus",
        "westus",
        "westus2",
        "westus3",
    ),
}
GEOGRAPHY_OF = {region: name for name, regions in GEOGRAPHIES.items() for region in regions}


def routes(service: Service) -> Iterator[Route]:
    """Return the ways to the subscription, the tenant and the regions."""
    for pattern, handler in {
        "/tenants": _tenants,
        "/subscriptions": _subscriptions,
        "/subscriptions/{subscription}": _subscription,
        "/subscriptions/{subscription}/locations": _locations,
    }.items():
        yield Route(method="GET", pattern=pattern, handler=functools.partial(handler, service))


async def _tenants(service: Service, _call: Call) -> Answer:
    return listed(
        [
            {
                "id": f"/tenants/{service.tenant}",
                "tenantId": service.tenant,
                "displayName": NAME,
                "tenantCategory": "Home",
                "domains": [],
            }
        ]
    )


async def _subscriptions(service: Service, _call: Call) -> Answer:
    return listed([_shown(service)])


async def _subscription(service: Service, _call: Call) -> Answer:
    return ok(_shown(service))


async def _locations(service: Service, _call: Call) -> Answer:
    return listed([_location(service, region) for region in DISPLAY_NAMES])


def _shown(service: Service) -> dict[str, object]:
    return {
        "id": f"/subscriptions/{service.subscription}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": service.subscription,
        "tenantId": service.tenant,
        "displayName": NAME,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Internal_2014-09-01",
            "quotaId": "Internal_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _location(service: Service, region: str) -> dict[str, object]:
    name, geography = DISPLAY_NAMES[region], GEOGRAPHY_OF[region]
    return {
        "id": f"/subscriptions/{service.subscription}/locations/{region}",
        "name": region,
        "type": "Region",
        "displayName": name,
        "regionalDisplayName": f"({geography}) {name}",
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended",
            "geographyGroup": geography,
        },
    }
