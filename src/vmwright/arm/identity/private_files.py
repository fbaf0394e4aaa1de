"""Files that nobody else may read: keys."""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from typing import TYPE_CHECKING

from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmwright.settings import Settings

FOLDER = "service"


def folder_of(settings: Settings) -> Path:
    """Return where the keys and certificates of the service are."""
    return settings.home / FOLDER


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Make a folder, and have it alone while the block runs, among the processes of this host.

    :raises VmwrightError: it, or a file in it, cannot be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise VmwrightError(
            f"The service's keys in {folder} cannot be used: {error}",
            target=str(folder),
            hint="the folder must be on a disk with space, and belong to the user who runs the service",
        ) from error


def write(path: Path, content: bytes) -> None:
    """Put a file in its place as a whole; only its owner may read it, from the beginning on.

    :raises OSError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
