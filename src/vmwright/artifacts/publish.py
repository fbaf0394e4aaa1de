"""Finished files for the user: written in a hidden folder beside, then named; sums in ``SHA256SUMS``."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.artifacts import files
from vmwright.errors import DistributeError, ProcessError
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink
    from vmwright.state.database import Writing
    from vmwright.state.resources import Ledger

SUMS = "SHA256SUMS"
READABLE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A file for the user: where it is, its SHA-256 (lower-case hex) and its length."""

    path: Path
    sha256: str
    size_bytes: int


def check_writable(folder: Path) -> None:
    """Make a folder for finished files where it is missing, and prove that files can be made in it.

    :raises DistributeError: it cannot be written; said before any work begins.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".vmwright-"):
            pass
    except OSError as error:
        raise DistributeError(
            f"{folder} cannot be written: {error.strerror}",
            target=str(folder),
            hint="name another folder with --out, or give this user the right to write there",
        ) from None


async def publish(
    write: Callable[[Path], Awaitable[None]],
    destination: Path,
    *,
    writing: Writing,
    ledger: Ledger,
    progress: ProgressSink | None = None,
) -> Published:
    """Let ``write`` make a file, give it its name, and put its sum into ``SHA256SUMS`` beside it.

    An older file of that name stays until the new one is complete, and is then replaced.

    :param write: makes the file that it is given; nobody sees that file before it is whole.
    :param writing: opens the transaction in which the file gets its name.
    :param progress: of the reading for the sum: bytes done, bytes in all.
    :raises DistributeError: the folder cannot be written, or the disk is full.
    """
    check_writable(destination.parent)
    workplace = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}").absolute()
    claim = ledger.claim(ResourceKind.PATH, workplace)
    part = workplace / destination.name
    try:
        workplace.mkdir(mode=0o700)
        await write(part)
        digest = await files.sha256_of(part, progress=progress)
        part.chmod(READABLE)
        await files.flush(part)
        await asyncio.to_thread(_give_name, part, destination, digest, writing)
    except (ProcessError, OSError, UnicodeError) as error:
        raise DistributeError(
            f"{destination} cannot be written: {error}",
            target=str(destination),
            hint="check the space and the rights of that folder",
        ) from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
        ledger.release(claim)
    return Published(path=destination, sha256=digest, size_bytes=destination.stat().st_size)


def _give_name(part: Path, destination: Path, digest: str, writing: Writing) -> None:
    with _locked(destination.parent):
        sums = _new_sums(destination, digest, part.with_name(SUMS))
        with writing():
            part.replace(destination)
            sums.replace(destination.with_name(SUMS))


def _new_sums(path: Path, digest: str, part: Path) -> Path:
    """Write the sums of ``path``'s folder with its new one: the format of ``sha256sum --check``."""
    sums = path.with_name(SUMS)
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.exists() else []
    kept = [line for line in lines if _name_in(line) != path.name]
    part.write_text("".join(f"{line}\n" for line in [*kept, _line(path.name, digest)]), encoding="utf-8")
    return part


def _line(name: str, digest: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"\\{digest}  {escaped}" if escaped != name else f"{digest}  {name}"


def _name_in(line: str) -> str:
    name = line.partition("  ")[2]
    return name.replace("\\n", "\n").replace("\\\\", "\\") if line.startswith("\\") else name


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other builds with the same folder out while names are given."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
