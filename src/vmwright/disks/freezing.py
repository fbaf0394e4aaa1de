"""Freezing a mounted file system and thawing it, by a folder in it: two requests to the kernel, no programs.

Imports little: the keeper thaws, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# FIFREEZE and FITHAW of <linux/fs.h>
FREEZE = 0xC0045877
THAW = 0xC0045878


def freeze_now(folder: Path) -> None:
    """Write all that waits to be written, and let every later write wait until the file system is thawed.

    :raises OSError: the kernel refuses, or the disk does.
    """
    _request(folder, FREEZE)


def thaw_now(folder: Path) -> None:
    """Let a frozen file system go on; does nothing where it is not frozen, or not there."""
    with contextlib.suppress(OSError):
        _request(folder, THAW)


def _request(folder: Path, request: int) -> None:
    # closed at once: an open folder would hold the mount
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(opened, request, 0)
    finally:
        os.close(opened)
