"""Where steps are run: a started machine and its guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.machine import Machine


class Stage(Protocol):
    """A started machine with its guest."""

    @property
    def machine(self) -> Machine:
        """The machine."""

    @property
    def guest(self) -> LinuxGuest:
        """The guest in it."""
