"""Where steps are run: a started machine, its guest and the layers of its disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.builds.layers import Layers
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.machine import Machine


@dataclass(frozen=True, slots=True)
class Stage:
    """A started machine with its guest and the layers of its disk."""

    machine: Machine
    guest: LinuxGuest
    layers: Layers
