"""Which machine runs a build started from the command line, and why (the table of docs/machine-vm.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.errors import UnsupportedError
from vmwright.machines.machine import Accelerator, MachineKind
from vmwright.settings import MachineChoice
from vmwright.template.model import OsType

if TYPE_CHECKING:
    from vmwright.machines.probe import KvmVerdict

DOCTOR = "vmwright doctor names what is missing and the command that adds it"


@dataclass(frozen=True, slots=True)
class Choice:
    """A machine, the accelerator (a container's: that of the VM which finishes it), and why."""

    kind: MachineKind
    accelerator: Accelerator
    reason: str


def choose(
    choice: MachineChoice,
    *,
    os_type: OsType,
    kvm: KvmVerdict,
    container_reason: str | None,
    vm_reason: str | None = None,
    needs_kernel: bool = False,
) -> Choice:
    """Take a machine.

    :param container_reason: why this host cannot run containers, None where it can.
    :param vm_reason: why this host cannot run virtual machines, None where it can.
    :param needs_kernel: the work needs a kernel of its own, as an ISO source does.
    :raises UnsupportedError: this host cannot run what is asked for.
    """
    accelerator = Accelerator.KVM if kvm.usable else Accelerator.TCG
    no_container = _no_container(os_type, container_reason, needs_kernel=needs_kernel)
    if choice is MachineChoice.CONTAINER:
        if no_container:
            raise UnsupportedError(f"A container cannot run this build: {no_container}", hint=DOCTOR)
        return Choice(MachineKind.CONTAINER, accelerator, "asked for")
    if choice is MachineChoice.AUTO and not no_container and (vm_reason or not kvm.usable):
        reason = f"native speed; no KVM: {vm_reason or kvm.reason}"
        return Choice(MachineKind.CONTAINER, accelerator, reason)
    if vm_reason:
        raise UnsupportedError(f"This host cannot run a virtual machine: {vm_reason}", hint=DOCTOR)
    how = kvm.reason if kvm.usable else f"emulated, which is slow: {kvm.reason}"
    if choice is MachineChoice.VM:
        return Choice(MachineKind.VM, accelerator, f"asked for; {how}")
    why = how if kvm.usable else f"{how}; no container: {no_container}"
    return Choice(MachineKind.VM, accelerator, why)


def _no_container(os_type: OsType, reason: str | None, *, needs_kernel: bool) -> str | None:
    if os_type is not OsType.LINUX:
        return f"the source is {os_type}"
    return "the work needs a kernel of its own" if needs_kernel else reason
