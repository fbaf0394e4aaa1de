"""What the providers have in resource groups: listed with the group, and gone with it.

ARM's own store knows resources by themselves. A provider that has more to it (files, tables of its own,
builds that run) hands these two to ARM, so that neither needs to know the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.store import Resource


class Removal(Protocol):
    """Removes what a provider has in a resource group that is being deleted."""

    async def remove_all(self, group: ResourceId) -> None:
        """Remove all of it; what is gone already is no error: a restart of the service does it again.

        :raises VmwrightError: something cannot go, such as an image that a build stands on: the group stays.
        """


class Listing(Protocol):
    """Lists the resources of a provider that keeps them in tables of its own."""

    async def resources(self, subscription: str, group: str | None) -> list[Resource]:
        """Return those in a resource group; None: in the whole subscription."""
