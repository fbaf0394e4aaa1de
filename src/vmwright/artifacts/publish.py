"""Finished files for the user: written in a hidden folder beside, then named; sums in ``SHA256SUMS``.

A sparse disk has its sums piece by piece in ``NAME.sums``, which is then what ``SHA256SUMS`` lists.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vmwright.artifacts import checksums, files, sums
from vmwright.artifacts.checksums import SUMS
from vmwright.artifacts.duplicates import Placed, duplicate
from vmwright.artifacts.together import Together
from vmwright.errors import DistributeError, ProcessError
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink
    from vmwright.artifacts.sums import Sums
    from vmwright.state.database import Writing
    from vmwright.state.resources import Ledger

READABLE = 0o644


class Summing(StrEnum):
    """Which sums a file gets: of the whole, of its pieces, or both."""

    WHOLE = "whole"
    PIECES = "pieces"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A file for the user.

    :param sha256: of the whole file in lower-case hex, None where only its pieces were summed.
    :param sums: of its pieces, None where only the whole was summed.
    :param placed: how it came about, None where it was written.
    """

    path: Path
    size_bytes: int
    sha256: str | None = None
    sums: Sums | None = None
    placed: Placed | None = None


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
    write: Callable[[Path], Awaitable[Sums | None]],
    destination: Path,
    *,
    writing: Writing,
    ledger: Ledger,
    summing: Summing = Summing.WHOLE,
    check: Callable[[Path], Coroutine[None, None, None]] | None = None,
    progress: ProgressSink | None = None,
) -> Published:
    """Let ``write`` make a file, give it its name, and put its sum into ``SHA256SUMS`` beside it.

    An older file of that name stays until the new one is complete, and is then replaced.

    :param write: makes the file that it is given; nobody sees that file before it is whole. Where it has
        compared what it wrote, it returns the sums of that, and the file is not read for them again.
    :param writing: opens the transaction in which the file gets its name.
    :param check: looks at a file that ``write`` has not compared while it is summed; what it raises keeps the
        file from its name.
    :param progress: of the reading for the sum: bytes done, bytes in all.
    :raises DistributeError: the folder cannot be written, or the disk is full.
    """
    async with workplace(destination, ledger) as folder:
        part = folder / destination.name
        written = await write(part)
        part.chmod(READABLE)
        async with Together() as together:
            summed = together.start(_summed(part, written, summing, progress))
            together.start(files.flush(part))
            if check and written is None:
                together.start(check(part))
        sha256, of_pieces = summed.result()
        made = Published(path=destination, size_bytes=part.stat().st_size, sha256=sha256, sums=of_pieces)
        await asyncio.to_thread(_give_name, part, made, writing)
    return made


async def publish_existing(
    source: Path,
    destination: Path,
    *,
    sums: Sums,
    writing: Writing,
    ledger: Ledger,
    sha256: str | None = None,
    summing: Summing = Summing.BOTH,
) -> Published:
    """Give a finished file of this host a name for the user, with its sums, as ``publish`` does.

    It shares the blocks of ``source`` where the file system can do that; else it is a hard link, which makes
    both names read-only; on another file system it is a copy with its holes. ``Published.placed`` says which.

    :param sums: those of ``source``, which is not read for them.
    :param sha256: the same of the whole file, where it is known.
    :param summing: which of both go beside the file.
    :param writing: opens the transaction in which the file gets its name.
    :raises DistributeError: the folder cannot be written, the disk is full, or ``source`` has another length.
    """
    async with workplace(destination, ledger) as folder:
        part = folder / destination.name
        placed = await duplicate(source, part)
        if (size := part.stat().st_size) != sums.size_bytes:
            raise DistributeError(
                f"{source} has {size} bytes, not {sums.size_bytes}: it is damaged", target=str(source)
            )
        if placed is not Placed.LINK:
            part.chmod(READABLE)
            await files.flush(part)
        made = Published(
            path=destination,
            size_bytes=size,
            sha256=None if summing is Summing.PIECES else sha256,
            sums=None if summing is Summing.WHOLE else sums,
            placed=placed,
        )
        await asyncio.to_thread(_give_name, part, made, writing)
    return made


@contextlib.asynccontextmanager
async def workplace(destination: Path, ledger: Ledger) -> AsyncIterator[Path]:
    """Give a hidden folder beside the destination, which is removed again.

    :raises DistributeError: the folder cannot be written, or the disk is full.
    """
    check_writable(destination.parent)
    folder = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}").absolute()
    claim = ledger.claim(ResourceKind.PATH, folder)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    except (ProcessError, OSError, UnicodeError) as error:
        raise DistributeError(
            f"{destination} cannot be written: {error}",
            target=str(destination),
            hint="check the space and the rights of that folder",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        ledger.release(claim)


async def _summed(
    part: Path, written: Sums | None, summing: Summing, progress: ProgressSink | None
) -> tuple[str | None, Sums | None]:
    pieces = None if summing is Summing.WHOLE else written or await sums.sums_of(part, progress=progress)
    whole = None if summing is Summing.PIECES else await files.sha256_of(part, progress=progress)
    return whole, pieces


def _give_name(part: Path, made: Published, writing: Writing) -> None:
    destination = made.path
    listed: dict[str, str | None] = {destination.name: made.sha256}
    moved = {part: destination}
    if made.sums:
        beside = destination.with_name(destination.name + sums.ENDING)
        written = part.with_name(beside.name)
        written.write_text(made.sums.text, encoding="ascii")
        files.flush_now(written)
        listed[beside.name] = made.sums.digest
        moved[written] = beside
    with checksums.locked(destination.parent):
        moved[part.with_name(SUMS)] = destination.with_name(SUMS)
        checksums.write(part.with_name(SUMS), older=destination.with_name(SUMS), listed=listed)
        with writing():
            for new, name in moved.items():
                new.replace(name)
