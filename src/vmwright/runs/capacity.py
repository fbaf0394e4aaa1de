"""How much of this host builds may take, what a template asks for, and what is left."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from vmwright.machines.sizes import FLOOR_MIB, Capacity, fit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmwright.settings import WorkerSettings

# What Azure calls the architectures that kernels name so (Microsoft.Compute's ``architecture``).
ARCHITECTURES = {"x86_64": "x64", "aarch64": "Arm64"}


def architecture() -> str:
    """Return this host's architecture by Azure's name (x64, Arm64), or the kernel's where Azure has none."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def offered(worker: WorkerSettings, host: Capacity) -> Capacity:
    """Return what the builds of this host may take together: all processors and 3/4 of the memory by default.

    More processors than there are may be offered: guests then share them. Memory cannot be shared so.
    """
    memory = worker.memory_mib or host.memory_for_guests_mib
    return Capacity(worker.cpus or host.cpus, min(memory, host.memory_mib))


def asked(vm_size: str) -> Capacity:
    """Return what ``vmProfile.vmSize`` stands for, wherever it will be built ("": the default size)."""
    size = fit(vm_size, Capacity(1, FLOOR_MIB)).size
    return Capacity(size.cpus, max(size.memory_mib, FLOOR_MIB))


def granted(ask: Capacity, total: Capacity) -> Capacity:
    """Return what a build gets of an executor: what it asks for, or all there is."""
    return Capacity(min(ask.cpus, total.cpus), min(ask.memory_mib, total.memory_mib))


def left(total: Capacity, taken: Iterable[Capacity]) -> Capacity:
    """Return what is left of ``total``; never less than nothing."""
    taken = tuple(taken)
    return Capacity(
        max(0, total.cpus - sum(one.cpus for one in taken)),
        max(0, total.memory_mib - sum(one.memory_mib for one in taken)),
    )
