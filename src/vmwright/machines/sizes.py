"""Sizes: what the name of an Azure VM size means, and what of it this host can give.

The names and figures are data (``azure_sizes.csv``). Azure takes any name when a template is submitted
(reference §16), so an unknown one is a warning here and never an error.
"""

from __future__ import annotations

import csv
import difflib
import functools
import os
from dataclasses import dataclass
from importlib import resources

# The service's default for generation V2. Its default for V1, Standard_D1_v2, has one processor, which saves
# money there and costs only time here.
DEFAULT_SIZE = "Standard_D2ds_v4"
FLOOR_MIB = 1024
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Size:
    """An Azure VM size: its name as Azure writes it, processors, memory in MiB."""

    name: str
    cpus: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a host has: processors that this process may use, memory in MiB."""

    cpus: int
    memory_mib: int

    @property
    def memory_for_guests_mib(self) -> int:
        """A quarter stays with the host: QEMU's own memory (1 GiB when emulating) and the page cache."""
        return self.memory_mib * 3 // 4


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a machine gets, and notes for the user where that is not what the template names."""

    size: Size
    cpus: int
    memory_mib: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def host_capacity() -> Capacity:
    """Return what this host has."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
    return Capacity(len(os.sched_getaffinity(0)), memory)


def find_size(name: str) -> Size | None:
    """Return the size of that name, whatever its case."""
    return _table().get(name.strip().lower())


def fit(name: str, host: Capacity) -> Sizing:
    """Return what a machine gets for ``vmProfile.vmSize``.

    :param name: "" is the default size.
    """
    default = _table()[DEFAULT_SIZE.lower()]
    warnings: tuple[str, ...] = ()
    size = find_size(name) if name.strip() else default
    if size is None:
        size = default
        warnings = (f"vmSize '{name}' is not known here; {default.name} is used{_meant(name)}",)
    room = max(host.memory_for_guests_mib, min(FLOOR_MIB, host.memory_mib))
    cpus = min(size.cpus, host.cpus)
    memory = min(max(size.memory_mib, FLOOR_MIB), room)
    notes = tuple(
        f"{size.name} has {theirs} {unit}; the machine gets {ours}{why}"
        for theirs, ours, unit, why in (
            (size.cpus, cpus, "processors", f", all of this host's {host.cpus}"),
            (size.memory_mib, memory, "MiB of memory", _why_memory(size.memory_mib, memory, host)),
        )
        if theirs != ours
    )
    return Sizing(size, cpus, memory, notes, warnings)


def _why_memory(theirs: int, ours: int, host: Capacity) -> str:
    if ours > theirs:
        return ", the least that a guest is given here"
    return f", three quarters of this host's {host.memory_mib}"


def _meant(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), _table(), n=1, cutoff=0.75)
    return f" (did you mean {_table()[near[0]].name}?)" if near else ""


@functools.cache
def _table() -> dict[str, Size]:
    text = resources.files("vmwright.machines").joinpath("azure_sizes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    sizes = (Size(row["name"], int(row["vcpus"]), int(row["memory_mib"])) for row in rows)
    return {size.name.lower(): size for size in sizes}
