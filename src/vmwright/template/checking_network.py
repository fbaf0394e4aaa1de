"""The rules over the build VM's network (reference §4 and §16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.template.checked import Checked
    from vmwright.template.problems import Problem

NAMES = ("name", "subnetName", "resourceGroupName")


def check_network(config: Checked) -> Iterator[Problem]:
    """Give what the rules find in a ``vnetConfig``."""
    missing = [name for name in NAMES if not config.has(name)]
    if 0 < len(missing) < len(NAMES):
        message = f"`vnetConfig` lacks {' and '.join(f'`{name}`' for name in missing)}."
        yield Rule.NETWORK_NAMES.at(config.place, message, hint="all three together name a subnet")
    if config.has("containerInstanceSubnetId"):
        yield from _container(config)
    if config.has("proxyVmSize"):
        place = config.at("proxyVmSize")
        if not config.has("subnetId"):
            message = (
                "`proxyVmSize` is here without `subnetId`: there is a proxy only in a network of one's own."
            )
            yield Rule.NETWORK_PROXY.at(place, message, hint="leave it out")
        if config.has("containerInstanceSubnetId"):
            message = "`proxyVmSize` is here, but with `containerInstanceSubnetId` there is no proxy."
            yield Rule.NETWORK_NO_PROXY.at(place, message, hint="keep one of them")


def _container(config: Checked) -> Iterator[Problem]:
    place = config.at("containerInstanceSubnetId")
    if not config.has("subnetId"):
        message = "`containerInstanceSubnetId` is here without `subnetId`."
        yield Rule.NETWORK_CONTAINER.at(place, message, hint='add "subnetId": "..."')
        return
    if not (config.known("subnetId") and config.known("containerInstanceSubnetId")):
        return
    build = config.text("subnetId").casefold()
    container = config.text("containerInstanceSubnetId").casefold()
    if build == container:
        message = "`containerInstanceSubnetId` is the subnet of the build VM; it must be another one."
        yield Rule.NETWORK_SAME.at(place, message, hint="a second subnet of the same network")
    elif build.partition("/subnets/")[0] != container.partition("/subnets/")[0]:
        message = "`containerInstanceSubnetId` is in another virtual network than `subnetId`."
        yield Rule.NETWORK_OTHER.at(place, message, hint="a second subnet of the same network")
