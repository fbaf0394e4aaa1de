"""The secret of a home that the keys of its cache are made with."""

from __future__ import annotations

import contextlib
import os
import secrets
import uuid
from typing import TYPE_CHECKING

from vmwright.artifacts.files import flush_now
from vmwright.errors import VmwrightError
from vmwright.state.engines import HOME_HINT

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "cache.key"
LENGTH = 32


def secret_of(home: Path) -> bytes:
    """Return the secret of a home, made where there is none; only its owner may read the file.

    :raises VmwrightError: it cannot be read or written.
    """
    file = home / FILE_NAME
    try:
        if not file.exists():
            _make(file)
        return file.read_bytes()
    except OSError as error:
        raise VmwrightError(
            f"The key of the cache cannot be used: {error}", target=str(file), hint=HOME_HINT
        ) from error


def _make(file: Path) -> None:
    """Write a secret as a whole, unless somebody has done so meanwhile."""
    part = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(LENGTH))
        flush_now(part)
        with contextlib.suppress(FileExistsError):
            os.link(part, file)
        flush_now(file.parent)
    finally:
        part.unlink(missing_ok=True)
