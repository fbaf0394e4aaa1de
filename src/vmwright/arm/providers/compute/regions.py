"""The regions of a gallery version, as a body has them (reference §11.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmwright.arm.providers.compute.names import invalid
from vmwright.images.records import DEFAULT_STORAGE
from vmwright.regions import DISPLAY_NAMES, api_name, display_name
from vmwright.template.model import TargetRegion

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MOST_REPLICAS = 100
STORAGE = (DEFAULT_STORAGE, "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS", "StandardSSD_LRS")
PROFILE = "galleryImageVersion.properties.publishingProfile"
TARGET = f"{PROFILE}.targetRegions"


def read(publishing: Mapping[str, Any], location: str, known: Collection[str]) -> tuple[TargetRegion, ...]:
    """Return the regions that a version is to be in: its own one is always among them.

    :param publishing: its publishingProfile, whose replicaCount and storageAccountType are those of regions
        that have none of their own.
    :param known: regions besides Azure's, as the API writes them.
    :raises ArmError: one is none, is named twice, or wants what is no number of replicas.
    """
    given = publishing.get("targetRegions") or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise invalid(TARGET, "The target regions are a list of objects.")
    regions = [_region(one, publishing, known) for one in given]
    names = [api_name(region.name) for region in regions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise invalid(TARGET, f"The target region '{twice[0]}' is named more than once.")
    if api_name(location) not in names:
        regions.append(_region({"name": location}, publishing, known))
    return tuple(regions)


def shown(regions: tuple[TargetRegion, ...]) -> list[dict[str, Any]]:
    """Return regions as a version shows them."""
    return [
        {
            "name": display_name(region.name),
            "regionalReplicaCount": region.replica_count,
            "storageAccountType": region.storage_account_type,
        }
        for region in regions
    ]


def _region(given: Mapping[str, Any], publishing: Mapping[str, Any], known: Collection[str]) -> TargetRegion:
    name = given.get("name")
    if not isinstance(name, str) or api_name(name) not in {*DISPLAY_NAMES, *known}:
        raise invalid(f"{TARGET}.name", f"'{name}' is not a region that image versions can be replicated to.")
    count = given.get("regionalReplicaCount") or publishing.get("replicaCount") or 1
    if type(count) is not int or not 0 < count <= MOST_REPLICAS:
        raise invalid(
            f"{TARGET}.regionalReplicaCount", f"A region has 1 to {MOST_REPLICAS} replicas, not '{count}'."
        )
    storage = given.get("storageAccountType") or publishing.get("storageAccountType") or DEFAULT_STORAGE
    if storage not in STORAGE:
        raise invalid(f"{TARGET}.storageAccountType", f"'{storage}' is none of {', '.join(STORAGE)}.")
    return TargetRegion(name=api_name(name), replica_count=count, storage_account_type=storage)
