"""Which network a machine is on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BRIDGE = "bridge:"


class NetworkMode(StrEnum):
    """What a guest can reach.

    user: what the host reaches, as the host; restricted: vmwright alone; bridge: the network that a bridge
    of the host is on, with an address of the guest's own.
    """

    USER = "user"
    RESTRICTED = "restricted"
    BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Network:
    """A network, as configured: ``bridge`` is the name of the host's bridge."""

    mode: NetworkMode = NetworkMode.USER
    bridge: str = ""

    def __str__(self) -> str:
        """Return it as it is written in the configuration."""
        return f"{BRIDGE}{self.bridge}" if self.bridge else self.mode


USER = Network()


def network_of(text: str) -> Network:
    """Read ``user``, ``restricted`` or ``bridge:NAME``, as the settings have checked it."""
    if text.startswith(BRIDGE):
        return Network(NetworkMode.BRIDGE, text.removeprefix(BRIDGE))
    return Network(NetworkMode(text))
