"""What a figure depends on: this machine, and the versions of what was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

GIB = 1 << 30
PACKAGES = (
    "qemu-system-x86",
    "qemu-utils",
    "systemd-container",
    "passt",
    "packer",
    "guestfs-tools",
    "libguestfs0",
)


def machine() -> dict[str, str]:
    """Describe this host: what it computes with, and whether it could run virtual machines at full speed."""
    return {
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "kernel": platform.release(),
        "file system": _file_system(),
    }


def versions() -> dict[str, str]:
    """Return the versions of the Debian packages that take part, and of vmwright."""
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES],  # noqa: S607
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    ).stdout
    found = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    return {
        **{name: found.get(name) or "not installed" for name in PACKAGES},
        "vmwright": metadata.version("vmwright"),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system() -> str:
    here = Path(__file__).resolve()
    mounts = [one for one in psutil.disk_partitions(all=True) if here.is_relative_to(one.mountpoint)]
    return max(mounts, key=lambda one: len(one.mountpoint)).fstype if mounts else "unknown"
