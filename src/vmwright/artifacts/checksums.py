"""``SHA256SUMS``: the sums of the files of a folder, in the format of ``sha256sum --check``."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SUMS = "SHA256SUMS"


def write(path: Path, *, older: Path, listed: Mapping[str, str | None]) -> None:
    """Write the sums of a folder anew.

    :param older: the sums until now, which need not be there; lines of other files stay.
    :param listed: names of files, each with its SHA-256, or None where it is not to be listed any more.
    :raises OSError: it cannot be written.
    :raises UnicodeError: what there is is no text.
    """
    lines = older.read_text(encoding="utf-8").splitlines() if older.exists() else []
    kept = [line for line in lines if _name_in(line) not in listed]
    new = [_line(name, digest) for name, digest in listed.items() if digest]
    path.write_text("".join(f"{line}\n" for line in [*kept, *new]), encoding="utf-8")


def find(path: Path, name: str) -> str | None:
    """Return the SHA-256 that ``SHA256SUMS`` has of a file, None where it has none, or is not there.

    :raises OSError: it cannot be read.
    :raises UnicodeError: it is no text.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = [line.removeprefix("\\").partition("  ")[0] for line in lines if _name_in(line) == name]
    return found[-1] if found else None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other builds with the same folder out while names are given; they are on the disk at its end."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(name: str, digest: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"\\{digest}  {escaped}" if escaped != name else f"{digest}  {name}"


def _name_in(line: str) -> str:
    name = line.partition("  ")[2]
    return name.replace("\\n", "\n").replace("\\\\", "\\") if line.startswith("\\") else name
