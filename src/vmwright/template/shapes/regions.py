"""The regions of Image Builder, as the API writes them (reference §16)."""

from __future__ import annotations

from vmwright.regions import DISPLAY_NAMES
from vmwright.template.contract import reaches

REGIONS_2019 = ("eastus", "eastus2", "westcentralus", "westus", "westus2")
REGIONS_2020 = (*REGIONS_2019, "northeurope", "westeurope")
REGIONS_LATER = (*REGIONS_2020, *(name for name in DISPLAY_NAMES if name not in REGIONS_2020))


def regions_of(version: str) -> tuple[str, ...]:
    """Return the regions that the last edition of an api-version names."""
    if reaches(version, "2021-10-01"):
        return REGIONS_LATER
    return REGIONS_2020 if reaches(version, "2019-05-01-preview") else REGIONS_2019
