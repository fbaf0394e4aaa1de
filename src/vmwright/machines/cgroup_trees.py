"""The trees of cgroups of this host, and who is in one; imports little, for the keeper's sake."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from vmwright.disks.freezing import thaw_now

SYSTEMD = "name=systemd"
DYING_TRIES = 100
DYING_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted tree of cgroups: cgroup v2 (``unified``), or v1 with its controllers."""

    root: Path
    unified: bool
    controllers: frozenset[str]

    @property
    def is_systemds(self) -> bool:
        """Whether systemd keeps its units in it, so that a container has a part of its own there."""
        return self.unified or SYSTEMD in self.controllers


def hierarchies(mountinfo: str | None = None) -> tuple[Hierarchy, ...]:
    """Return the trees in which a container needs a cgroup, from the kernel's table of mounts."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    found: list[Hierarchy] = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(maxsplit=2)
        root = Path(left.split()[4])
        if kind == "cgroup2":
            tree = Hierarchy(root, unified=True, controllers=frozenset())
        elif kind == "cgroup" and (wanted := {SYSTEMD, "memory", "cpu"} & set(options.split(","))):
            tree = Hierarchy(root, unified=False, controllers=frozenset(wanted))
        else:
            continue
        if not any((tree.unified, tree.controllers) == (one.unified, one.controllers) for one in found):
            found.append(tree)
    return tuple(found)


def folders_of(name: str) -> list[Path]:
    """Return where the cgroup ``name`` is."""
    return [folder for tree in hierarchies() if (folder := tree.root / name).is_dir()]


def with_all_below(folder: Path) -> list[Path]:
    """Return a cgroup and those in it, the innermost first; they may be removed by others meanwhile."""
    return [Path(one) for one, _, _ in os.walk(folder, topdown=False)]


def members(folders: list[Path]) -> set[int]:
    """Return the processes in cgroups and all below them."""
    found: set[int] = set()
    for folder in folders:
        for one in with_all_below(folder):
            with contextlib.suppress(OSError):
                found.update(int(line) for line in (one / "cgroup.procs").read_text().split())
    return found - {0}


def kill(pids: set[int]) -> None:
    """Kill processes, of which some may be gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def has_own_root(pid: int) -> bool:
    """Whether a process has another root folder than this one."""
    try:
        return not Path(f"/proc/{pid}/root").samefile("/")
    except OSError:
        return False


def kill_all(name: str) -> int:
    """Kill every process in the cgroup ``name``, at once and without the cgroup's owner; return how many.

    A file system that was frozen for a checkpoint is thawed: until then those that write to it cannot die.
    """
    folders, killed = folders_of(name), set[int]()
    for _ in range(DYING_TRIES):
        inside = members(folders)
        if not inside:
            break
        for pid in inside - killed:
            if has_own_root(pid):
                thaw_now(Path(f"/proc/{pid}/root"))
        kill(inside)
        killed |= inside
        time.sleep(DYING_PAUSE)
    return len(killed)
