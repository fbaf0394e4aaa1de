"""Azure's regions: how the API writes their names, and how people do (reference §11.3, §16)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DISPLAY_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "australiaeast": "Australia East",
        "australiasoutheast": "Australia Southeast",
        "brazilsouth": "Brazil South",
        "canadacentral": "Canada Central",
        "centralindia": "Central India",
        "centralus": "Central US",
        "chinanorth3": "China North 3",
        "eastasia": "East Asia",
        "eastus": "East US",
        "eastus2": "East US 2",
        "francecentral": "France Central",
        "germanywestcentral": "Germany West Central",
        "israelcentral": "Israel Central",
        "italynorth": "Italy North",
        "japaneast": "Japan East",
        "jioindiawest": "Jio India West",
        "koreacentral": "Korea Central",
        "newzealandnorth": "New Zealand North",
        "northcentralus": "North Central US",
        "northeurope": "North Europe",
        "norwayeast": "Norway East",
        "polandcentral": "Poland Central",
        "qatarcentral": "Qatar Central",
        "southafricanorth": "South Africa North",
        "southcentralus": "South Central US",
        "southeastasia": "Southeast Asia",
        "swedencentral": "Sweden Central",
        "switzerlandnorth": "Switzerland North",
        "taiwannorthwest": "Taiwan Northwest",
        "uaenorth": "UAE North",
        "uksouth": "UK South",
        "ukwest": "UK West",
        "usgovarizona": "USGov Arizona",
        "usgovvirginia": "USGov Virginia",
        "westcentralus": "West Central US",
        "westeurope": "West Europe",
        "westus": "West US",
        "westus2": "West US 2",
        "westus3": "West US 3",
    }
)


def api_name(region: str) -> str:
    """Return a region as the API writes it, from any spelling: ``West US 2`` becomes ``westus2``."""
    return "".join(region.split()).lower()


def display_name(region: str) -> str:
    """Return a region as Compute shows it, from any spelling: ``westus`` becomes ``West US``.

    A region that is not Azure's is returned as it is.
    """
    return DISPLAY_NAMES.get(api_name(region), region)
