"""The template's subnet, and what the configuration puts in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from vmwright.builds.networks import check_network, network_for
from vmwright.errors import UnsupportedError
from vmwright.machines import netns
from vmwright.machines.machine import MachineKind
from vmwright.machines.network import USER, Network, NetworkMode, network_of
from vmwright.settings import Settings
from vmwright.template.model import VnetConfig

ID = (
    "/subscriptions/0000-11/resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/Hub/subnets/Builds"
)
TRIPLE = VnetConfig(name="Hub", subnet_name="Builds", resource_group_name="Net")
BRIDGE = Network(NetworkMode.BRIDGE, "br0")


def configured(**networks: str) -> Settings:
    return Settings(home=Path("/nowhere"), networks=networks)


def test_a_build_without_a_subnet_has_the_users_network_or_the_configured_default() -> None:
    assert network_for(None, configured()) == USER
    assert network_for(VnetConfig(), configured()) == USER
    assert network_for(None, configured(**{ID: "restricted"})) == USER
    assert network_for(None, configured(default="restricted")).mode is NetworkMode.RESTRICTED
    assert network_for(VnetConfig(proxy_vm_size="x"), configured(default="bridge:br0")) == BRIDGE


@pytest.mark.parametrize("vnet", [VnetConfig(subnet_id=ID.upper()), TRIPLE])
@pytest.mark.parametrize("key", [ID, ID.lower(), "net/hub/BUILDS"])
def test_a_subnet_is_found_by_its_id_or_its_three_names_in_any_case(vnet: VnetConfig, key: str) -> None:
    settings = configured(**{"other/hub/builds": "user", key: "bridge:br0", "default": "user"})
    assert network_for(vnet, settings) == BRIDGE


def test_the_very_id_goes_before_the_three_names_and_subscriptions_are_told_apart() -> None:
    elsewhere = ID.replace("0000-11", "0000-22")
    settings = configured(**{"net/hub/builds": "user", elsewhere: "bridge:br1", ID: "restricted"})
    assert network_for(VnetConfig(subnet_id=ID), settings).mode is NetworkMode.RESTRICTED
    assert network_for(VnetConfig(subnet_id=elsewhere), settings).bridge == "br1"
    with pytest.raises(UnsupportedError):
        network_for(VnetConfig(subnet_id=ID), configured(**{elsewhere: "user"}))


@pytest.mark.parametrize(
    ("vnet", "target", "line"),
    [
        (VnetConfig(subnet_id=ID), "properties.vmProfile.vnetConfig.subnetId", f'"{ID}" = "user"'),
        (TRIPLE, "properties.vmProfile.vnetConfig", '"Net/Hub/Builds" = "user"'),
    ],
)
def test_an_unmapped_subnet_is_refused_with_the_line_to_add(vnet: VnetConfig, target: str, line: str) -> None:
    with pytest.raises(UnsupportedError) as refused:
        network_for(vnet, configured(default="user"))
    assert refused.value.target == target
    assert refused.value.hint
    assert line in refused.value.hint
    key, _, mode = line.replace('"', "").partition(" = ")
    assert network_for(vnet, configured(**{key: mode})) == USER


@pytest.mark.parametrize("text", ["user", "restricted", "bridge:br0"])
def test_a_network_is_written_as_it_is_configured(text: str) -> None:
    assert str(network_of(text)) == text


async def test_what_this_host_cannot_do_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedError, match=r'"bridge:nobridge"') as refused:
        await check_network(network_of("bridge:nobridge"), MachineKind.CONTAINER)
    assert refused.value.target == "properties.vmProfile.vnetConfig"
    monkeypatch.setattr(netns, "TUN", tmp_path / "tun")
    with pytest.raises(UnsupportedError, match=r'"restricted": .*tun cannot be opened'):
        await check_network(network_of("restricted"), MachineKind.VM)
    await check_network(network_of("restricted"), MachineKind.CONTAINER)
    await check_network(USER, MachineKind.VM)
