"""The marks that programs carry in their environment, to be found when those who know them are gone.

Every program that a process of vmwright starts names that process in $VMWRIGHT_OWNER, and those that stay the
claim in the ledger that they belong to in $VMWRIGHT_RESOURCE. All of it is read from /proc with nothing but
the standard library's cheapest modules: the keeper (``workers/keeper.py``) must start at once and stay small.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

RESOURCE_VARIABLE = "VMWRIGHT_RESOURCE"
OWNER_VARIABLE = "VMWRIGHT_OWNER"


def boot_id() -> str:
    """Return what names this boot of the host: processes and mounts do not outlive it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot ("" where it is gone); pids are reused."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]


def owner_token(pid: int, since: str, boot: str) -> str:
    """Return what names a process among all that this host has ever run: ``PID.START.BOOT``."""
    return f"{pid}.{since}.{boot}"


def own_token() -> str:
    """Return what names this process."""
    return owner_token(os.getpid(), started(os.getpid()), boot_id())


def marked(token: str) -> dict[str, str]:
    """Return the variable that marks a program, and all that it starts, as the resource ``token``."""
    return {RESOURCE_VARIABLE: token}


def owned() -> dict[str, str]:
    """Return the variable that marks a program, and all that it starts, as this process's own."""
    return {OWNER_VARIABLE: own_token()}


def kill_marked(*tokens: str) -> int:
    """Kill every program that carries one of these tokens (see ``marked``); return how many there were."""
    return _kill({f"{RESOURCE_VARIABLE}={token}".encode() for token in tokens})


def kill_owned(*owners: str) -> int:
    """Kill every program that these owners have started but this one (see ``own_token``); return how many.

    An owner does not carry its own token, so it is not among them.
    """
    return _kill({f"{OWNER_VARIABLE}={owner}".encode() for owner in owners})


def _kill(marks: set[bytes]) -> int:
    killed: set[int] = set()
    # again and again: one that is found may have started another meanwhile
    while marks and (fresh := _carriers(marks) - killed):
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= fresh
    return len(killed)


def _carriers(marks: set[bytes]) -> set[int]:
    everyone = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    carriers = {pid for pid in everyone if not marks.isdisjoint(_environment(pid).split(b"\0"))}
    return carriers - {os.getpid()}


def _environment(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes()
    return b""
