"""A container's own cgroup, on hosts with cgroup v1, v2 or both (hybrid).

systemd-nspawn puts its container into ``payload`` below the cgroup that it runs in. Containers with user
ids of their own must not share that one. And a program that enters a container must first join its cgroup:
the container's systemd cannot move a process that it does not own into a session, and waits for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.disks.mounts import thaw
from vmwright.errors import MachineError
from vmwright.machines.cgroup_trees import Hierarchy, folders_of, has_own_root, kill, members, with_all_below

if TYPE_CHECKING:
    from collections.abc import Iterator

JOINER = Path(__file__).with_name("enter-cgroup.sh")
PERIOD_US = 100_000
MIB = 1 << 20
DYING_TRIES = 200
DYING_PAUSE = 0.02


class Cgroup:
    """The cgroup ``name`` in every tree that matters; made by ``make``, taken away by ``remove(name)``."""

    def __init__(self, name: str, trees: tuple[Hierarchy, ...]) -> None:
        self.name = name
        self._trees = trees

    def make(self) -> None:
        """Make it, empty: in every tree or in none.

        :raises MachineError: the kernel refuses, or there is one of this name.
        """
        made: list[Path] = []
        try:
            for tree in self._trees:
                (folder := tree.root / self.name).mkdir()
                made.append(folder)
        except OSError as error:
            for folder in made:
                folder.rmdir()
            raise MachineError(
                f"No cgroup can be made for the container: {error}", hint="`--machine vm` needs none"
            ) from None

    def limit(self, *, cpus: int, memory_mib: int) -> list[str]:
        """Limit processor time and memory; return what this host cannot limit."""
        refused = []
        for what, values in _limits(cpus=cpus, memory_mib=memory_mib).items():
            if not any(_limited(tree, tree.root / self.name, what, values) for tree in self._trees):
                refused.append(what)
        return refused

    def start_in(self) -> tuple[str, ...]:
        """Return the start of a command line whose program is to run in this cgroup."""
        return _joining(tree.root / self.name for tree in self._trees)

    def enter(self) -> tuple[str, ...]:
        """Return the start of a command line whose program is to enter the container that runs in here.

        It joins a cgroup of the container's own, which the container's systemd may then take it out of.
        """
        return _joining(self._door(tree) for tree in self._trees)

    def _door(self, tree: Hierarchy) -> Path:
        if not tree.is_systemds:
            return tree.root / self.name
        payload = tree.root / self.name / "payload"
        door = payload / "vmwright"
        door.mkdir(exist_ok=True)
        owner = payload.stat()
        for path in (door, door / "cgroup.procs"):
            os.chown(path, owner.st_uid, owner.st_gid)
        return door


async def remove(name: str) -> None:
    """Kill every process in the cgroup ``name`` and take it away; does nothing where there is none.

    A container whose file system is frozen is thawed first, through its own processes: until then they
    cannot die.

    :raises MachineError: a process does not die.
    """
    folders = folders_of(name)
    for pid in members(folders):
        if has_own_root(pid):
            await thaw(Path(f"/proc/{pid}/root"))
            break
    for _ in range(DYING_TRIES):
        inside = members(folders)
        kill(inside)
        if not inside and all(_removed(folder) for folder in folders):
            return
        await asyncio.sleep(DYING_PAUSE)
    raise MachineError(f"The container's processes do not die: {sorted(members(folders))}", target=name)


def _limits(*, cpus: int, memory_mib: int) -> dict[str, tuple[str, str, str]]:
    """Return controller -> (file of cgroup v1, file of v2, value), except where it would limit nothing."""
    limits = {"memory": ("memory.limit_in_bytes", "memory.max", str(memory_mib * MIB))}
    if cpus < (os.cpu_count() or 1):
        limits["cpu"] = ("cpu.cfs_quota_us", "cpu.max", str(cpus * PERIOD_US))
    return limits


def _limited(tree: Hierarchy, folder: Path, controller: str, limit: tuple[str, str, str]) -> bool:
    old, new, value = limit
    if not tree.unified and controller not in tree.controllers:
        return False
    try:
        if tree.unified:
            (tree.root / "cgroup.subtree_control").write_text(f"+{controller}")
        (folder / (new if tree.unified else old)).write_text(value)
    except OSError:
        return False
    return True


def _joining(folders: Iterator[Path]) -> tuple[str, ...]:
    return ("sh", str(JOINER), *(str(folder / "cgroup.procs") for folder in folders), "--")


def _removed(folder: Path) -> bool:
    for path in with_all_below(folder):
        with contextlib.suppress(OSError):
            path.rmdir()
    return not folder.exists()
