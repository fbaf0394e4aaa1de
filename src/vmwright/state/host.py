"""What names this host, its boot and its processes, so that records can tell what still lives."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

from vmwright.marks import boot_id, started

__all__ = ["boot_id", "host_id", "lives", "started"]

MACHINE_ID = Path("/etc/machine-id")
# The inode of the kernel's first process namespace (PROC_PID_INIT_INO): outside all containers.
FIRST_PROCESS_NAMESPACE = "pid:[4026531836]"
LENGTH = 16


def host_id() -> str:
    """Return what names this host among those that share a database, 16 hex digits.

    It is made from /etc/machine-id; in a container, whose image may bring one for all, also from the name.
    """
    machine = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else ""
    if not machine or str(Path("/proc/self/ns/pid").readlink()) != FIRST_PROCESS_NAMESPACE:
        machine += platform.node()
    return hashlib.sha256(f"vmwright {machine}".encode()).hexdigest()[:LENGTH]


def lives(pid: int, since: str, boot: str) -> bool:
    """Return whether a process of this host that was recorded with its start and boot still runs."""
    return boot == boot_id() and started(pid) == since
