"""What builds could leave on this host, to be compared before and after."""

from __future__ import annotations

import os
from pathlib import Path

EXPORT = "disk.raw"


def traces(home: Path) -> set[str]:
    """Name every process, mount, loop device, cgroup and namespace that belongs to a build of ``home``."""
    return {*_processes(home), *_mounts(home), *_loops(home), *_cgroups(home), *_staged(home)}


def _processes(home: Path) -> set[str]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            name = (folder / "comm").read_text().strip()
        except OSError:
            continue
        if str(home) in command and name != "vmwright" and int(folder.name) != os.getpid():
            found.add(f"process {name}: {command[:120]}")
    return found


def seen(folder: Path) -> Path:
    """Return where this process finds what is mounted on a folder, in whichever mount namespace."""
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        if any(line.split()[4] == str(folder) for line in _lines(table)):
            return table.parent / f"root{folder}"
    raise FileNotFoundError(folder)


def _mounts(home: Path) -> set[str]:
    """Look into every mount namespace.

    The export of a disk counts in this process's own alone: another container that begins while there is one
    has a copy until it ends.
    """
    own = {line.split()[4] for line in _lines(Path("/proc/self/mountinfo")) if str(home) in line}
    tables = Path("/proc").glob("[0-9]*/mountinfo")
    all_ = {line.split()[4] for table in tables for line in _lines(table) if str(home) in line}
    return {f"mount {path}" for path in own | {one for one in all_ if Path(one).name != EXPORT}}


def _lines(table: Path) -> list[str]:
    try:
        return table.read_text().splitlines()
    except OSError:  # its process has ended
        return []


def _loops(home: Path) -> set[str]:
    files = Path("/sys/block").glob("loop*/loop/backing_file")
    backing = [file.read_text().strip() for file in files if file.exists()]
    return {f"loop device over {path}" for path in backing if str(home) in path}


def _cgroups(home: Path) -> set[str]:
    names = {folder.name[:8] for folder in (home / "builds").glob("*")}
    folders = (Path(above, name) for above, below, _ in os.walk("/sys/fs/cgroup") for name in below)
    ours = (folder for folder in folders if folder.name.startswith("vmwright-"))
    return {f"cgroup {folder}" for folder in ours if folder.name.removeprefix("vmwright-")[:8] in names}


def _staged(home: Path) -> set[str]:
    return {f"folder {path}" for path in (*home.glob("staging/*"), *home.glob("boots/*"))}
