"""Which machine the command line takes: the table of the documentation, row by row."""

from __future__ import annotations

import pytest

from vmwright.errors import UnsupportedError
from vmwright.machines.choice import choose
from vmwright.machines.machine import Accelerator, MachineKind
from vmwright.machines.probe import KvmVerdict
from vmwright.settings import MachineChoice
from vmwright.template.model import OsType

KVM = KvmVerdict(usable=True, reason="vmlinuz booted under KVM")
NO_KVM = KvmVerdict(usable=False, reason="there is no /dev/kvm")
NO_ROOT = "containers need root"
AUTO, VM, CONTAINER = MachineChoice.AUTO, MachineChoice.VM, MachineChoice.CONTAINER


@pytest.mark.parametrize(
    ("choice", "os_type", "kvm", "container_reason", "kind", "accelerator"),
    [
        (AUTO, OsType.LINUX, KVM, None, MachineKind.VM, Accelerator.KVM),
        (AUTO, OsType.LINUX, NO_KVM, None, MachineKind.CONTAINER, Accelerator.TCG),
        (AUTO, OsType.LINUX, NO_KVM, NO_ROOT, MachineKind.VM, Accelerator.TCG),
        (AUTO, OsType.WINDOWS, NO_KVM, None, MachineKind.VM, Accelerator.TCG),
        (AUTO, OsType.WINDOWS, KVM, None, MachineKind.VM, Accelerator.KVM),
        (VM, OsType.LINUX, NO_KVM, None, MachineKind.VM, Accelerator.TCG),
        (CONTAINER, OsType.LINUX, KVM, None, MachineKind.CONTAINER, Accelerator.KVM),
    ],
)
def test_the_table(
    choice: MachineChoice,
    os_type: OsType,
    kvm: KvmVerdict,
    container_reason: str | None,
    kind: MachineKind,
    accelerator: Accelerator,
) -> None:
    taken = choose(choice, os_type=os_type, kvm=kvm, container_reason=container_reason)
    assert (taken.kind, taken.accelerator) == (kind, accelerator)


def test_the_reason_says_why_it_is_slow_and_what_would_be_faster() -> None:
    taken = choose(AUTO, os_type=OsType.LINUX, kvm=NO_KVM, container_reason=NO_ROOT)
    assert taken.reason == (
        "emulated, which is slow: there is no /dev/kvm; no container: containers need root"
    )


def test_kernel_work_is_not_done_in_a_container() -> None:
    taken = choose(AUTO, os_type=OsType.LINUX, kvm=NO_KVM, container_reason=None, needs_kernel=True)
    assert taken.kind is MachineKind.VM


@pytest.mark.parametrize(
    ("os_type", "reason", "said"),
    [(OsType.LINUX, NO_ROOT, "containers need root"), (OsType.WINDOWS, None, "the source is Windows")],
)
def test_a_container_that_cannot_be_is_refused_before_anything_starts(
    os_type: OsType, reason: str | None, said: str
) -> None:
    with pytest.raises(UnsupportedError, match=said) as raised:
        choose(CONTAINER, os_type=os_type, kvm=NO_KVM, container_reason=reason)
    assert raised.value.exit_code == 3


def test_without_qemu_a_container_still_runs_and_a_vm_is_refused() -> None:
    missing = "qemu-system-x86_64 not installed"
    taken = choose(AUTO, os_type=OsType.LINUX, kvm=NO_KVM, container_reason=None, vm_reason=missing)
    assert taken.kind is MachineKind.CONTAINER
    for choice, reason in ((VM, None), (AUTO, NO_ROOT)):
        with pytest.raises(UnsupportedError, match="not installed"):
            choose(choice, os_type=OsType.LINUX, kvm=NO_KVM, container_reason=reason, vm_reason=missing)
