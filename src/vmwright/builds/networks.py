"""Which network a build's machine is on: the template's subnet, mapped by the configuration (reference §4).

Azure's subnets are not here. What stands for one is the operator's decision: a subnet that is not mapped is
an error, for a build on another network than the author meant may reach too much, or too little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.errors import UnsupportedError
from vmwright.machines import bridge, netns
from vmwright.machines.machine import MachineKind
from vmwright.machines.network import USER, Network, NetworkMode, network_of
from vmwright.settings import DEFAULT_NETWORK, FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.settings import Settings
    from vmwright.template.model import VnetConfig

TARGET = "properties.vmProfile.vnetConfig"


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet by the names that make it one, in lower case; ``subscription`` is "" where it is not told."""

    subscription: str
    group: str
    network: str
    name: str

    def is_same(self, other: Subnet) -> bool:
        """Whether both can be the same subnet, as far as they tell."""
        ours = (self.group, self.network, self.name)
        return ours == (other.group, other.network, other.name) and (
            not self.subscription or not other.subscription or self.subscription == other.subscription
        )


def network_for(vnet: VnetConfig | None, settings: Settings) -> Network:
    """Return the network of a template's build.

    :raises UnsupportedError: its subnet is not in the configuration; the hint is the line to add.
    """
    if vnet is None or not (named := _name_of(vnet)):
        return (
            network_of(settings.networks[DEFAULT_NETWORK]) if DEFAULT_NETWORK in settings.networks else USER
        )
    if mode := _configured(named, settings.networks):
        return network_of(mode)
    raise UnsupportedError(
        f"The build is to run in the subnet {named}, and no network of this host is configured for it",
        target=f"{TARGET}.subnetId" if vnet.subnet_id else TARGET,
        hint=f'under [networks] in {FILE_NAME}: "{named}" = "user" (or "restricted", or "bridge:NAME")',
    )


async def check_network(network: Network, kind: MachineKind) -> None:
    """Check that this host can put a machine on a network.

    :raises UnsupportedError: with the reason.
    """
    reason = None
    if network.mode is NetworkMode.BRIDGE:
        reason = bridge.obstacle(network.bridge)
    elif network.mode is NetworkMode.RESTRICTED and kind is MachineKind.VM:
        reason = await netns.obstacle()
    if reason:
        raise UnsupportedError(
            f'This host cannot put a machine on the network "{network}": {reason}',
            target=TARGET,
            hint="see docs/networks.md",
        )


def _name_of(vnet: VnetConfig) -> str:
    """Return a subnet as the configuration names it: its id, or the three names of 2019-05-01-preview."""
    if vnet.subnet_id:
        return vnet.subnet_id
    names = (vnet.resource_group_name, vnet.name, vnet.subnet_name)
    return "/".join(name for name in names if name) if all(names) else ""


def _configured(named: str, networks: Mapping[str, str]) -> str | None:
    """Return what is configured for a subnet: under the very name in any case, else under the other kind."""
    for key, mode in networks.items():
        if key.casefold() == named.casefold():
            return mode
    wanted = _parsed(named)
    for key, mode in networks.items():
        if wanted and (known := _parsed(key)) and known.is_same(wanted):
            return mode
    return None


def _parsed(text: str) -> Subnet | None:
    parts = text.casefold().strip("/").split("/")
    match parts:
        case [group, network, name]:
            return Subnet("", group, network, name)
        case ["subscriptions", subscription, "resourcegroups", group, "providers", _, _, network, _, name]:
            return Subnet(subscription, group, network, name)
    return None
