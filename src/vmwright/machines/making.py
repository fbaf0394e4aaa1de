"""Making a machine of either kind: what only one of them needs is imported where one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.machines.machine import MachineKind

if TYPE_CHECKING:
    from vmwright.events import Events
    from vmwright.machines.machine import Machine, MachineSpec
    from vmwright.state.resources import Ledger


def make_machine(kind: MachineKind, spec: MachineSpec, ledger: Ledger, events: Events) -> Machine:
    """Return a machine that has not been started."""
    if kind is MachineKind.CONTAINER:
        from vmwright.machines.container import ContainerMachine  # noqa: PLC0415 - half of a start's time

        return ContainerMachine(spec, ledger, events)
    from vmwright.machines.qemu import QemuMachine  # noqa: PLC0415 - its SSH library takes 0.1 s to import

    return QemuMachine(spec, ledger, events)
