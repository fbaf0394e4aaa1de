"""Where steps are run: a machine of the build and its guest, replaced where it is lost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from vmwright.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.errors import MachineLostError
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.machine import Machine


class Stage(ABC):
    """A machine with its guest, between ``open`` and ``close``; both may come again and again.

    ``deprovisioning`` is the script in the guest, as the steps that are done have left it.
    """

    def __init__(self) -> None:
        self._machine: Machine | None = None
        self._guest: LinuxGuest | None = None
        self.deprovisioning: bytes | None = None

    @property
    def machine(self) -> Machine:
        """The machine that runs."""
        if self._machine is None:
            raise MachineError("The machine is not started")
        return self._machine

    @property
    def guest(self) -> LinuxGuest:
        """The guest in it."""
        if self._guest is None:
            raise MachineError("The machine is not started")
        return self._guest

    @abstractmethod
    async def open(self) -> None:
        """Start the machine, unless it runs."""

    async def lost(self) -> MachineLostError | None:
        """Return what of this host was killed under the machine, None where it was nothing."""
        return await self._machine.lost() if self._machine else None

    async def settle(self, *, timeout: float) -> bool:
        """Wait for a restart that a step has begun; see ``Machine.settle``."""
        return await self.machine.settle(timeout=timeout)

    async def close(self) -> None:
        """Remove the machine."""
        machine, self._machine, self._guest = self._machine, None, None
        if machine is not None:
            await machine.destroy()

    async def _boot(self, machine: Machine, disk: Path) -> LinuxGuest:
        """Start a machine; ``close`` removes it, whatever comes of that."""
        self._machine = machine
        self._guest = await machine.start(disk)
        return self._guest
