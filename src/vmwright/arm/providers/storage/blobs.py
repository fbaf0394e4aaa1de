"""What is in a template's storage account (reference §7): ``vhds/NAME.vhd``, ``packerlogs/BUILD/NAME.log``.

``vhds/NAME.vhd.sums`` is there besides, the sums that a build leaves with its disk.
Nothing is named by a path: a blob is looked for in the records of the template's builds, and a file is opened
only where builds of this host put theirs.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.storage.accounts import LOGS, VHDS
from vmwright.artifacts import sums
from vmwright.artifacts.files import data_extents, read_piece
from vmwright.runs.kept_files import KeptFile, find_log, find_vhd, logs_folder, vhds_folder
from vmwright.runs.logs import read_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource

PAGE_BLOB, BLOCK_BLOB = "PageBlob", "BlockBlob"
TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"
LOG_NAMES = frozenset({"customization.log", "validation.log"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob as it is now: one that grows ends where it ended when it was looked for.

    :param content: a file that is open, or bytes.
    :param type: as Azure Storage names it: disks are PageBlob, text is BlockBlob.
    """

    name: str
    size: int
    etag: str
    modified_at: datetime
    media_type: str
    type: str
    content: BinaryIO | bytes

    @property
    def is_disk(self) -> bool:
        """Whether it is a disk, which may have holes."""
        return self.type == PAGE_BLOB

    def data(self) -> list[tuple[int, int]]:
        """Return where it has data: start and stop of each part that is no hole."""
        if isinstance(self.content, bytes):
            return [(0, self.size)]
        return list(data_extents(self.content.fileno(), self.size))

    def close(self) -> None:
        """Close its file, where nothing of it is to be read."""
        if not isinstance(self.content, bytes):
            self.content.close()

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give the bytes from ``start`` to ``stop``, and close the file; holes of disks are not read."""
        if isinstance(self.content, bytes):
            yield self.content[start:stop]
            return
        with self.content as file:
            while start < stop:
                piece = await asyncio.to_thread(read_piece, file.fileno(), start, stop)
                if not piece:  # somebody has cut it off
                    return
                yield piece
                start += len(piece)


async def find(service: Service, template: Resource, container: str, name: str) -> Blob:
    """Return a blob of a template's account.

    :raises ArmError: there is none, or it is on another host.
    :raises VmwrightError: the database or the shared store is away.
    """
    if container == VHDS:
        return await asyncio.to_thread(_vhd, service, template, name)
    build_id, _, log = name.partition("/")
    return await _log(service, template, build_id.lower(), log)


def missing(name: str) -> ArmError:
    """Return the error of a blob that is not there."""
    return _error(404, "BlobNotFound", f"The specified blob does not exist: {name}.")


def _vhd(service: Service, template: Resource, name: str) -> Blob:
    """Open a VHD, or the sums that a build has left beside it."""
    vhd = name.removesuffix(sums.ENDING)
    found = find_vhd(service.database, template.id, vhd, since=template.created_at)
    if found is None:
        raise missing(f"{VHDS}/{name}")
    if not found.is_here:
        raise _error(
            409,
            "BlobOnAnotherHost",
            f"The VHD is on the host that built it: {found.path}. Hint: copy it from there, or distribute to "
            "an image gallery, whose versions the shared store has.",
        )
    folder = vhds_folder(service.settings, found.build_id)
    if vhd != name:
        beside = replace(found, path=found.path.with_name(name))
        return _opened(beside, folder, media_type=TEXT, kind=BLOCK_BLOB)
    return _opened(found, folder, media_type=BYTES, kind=PAGE_BLOB)


async def _log(service: Service, template: Resource, build_id: str, name: str) -> Blob:
    shown = f"{LOGS}/{build_id}/{name}"
    if name not in LOG_NAMES:
        raise missing(shown)
    since = template.created_at
    found = await asyncio.to_thread(find_log, service.database, template.id, build_id, name, since=since)
    if found is None:
        raise missing(shown)
    if found.is_here:
        folder = logs_folder(service.settings, build_id)
        return await asyncio.to_thread(_opened, found, folder, media_type=TEXT, kind=BLOCK_BLOB)
    text = await read_log(build_id, name, service.settings, service.database)
    if text is None:
        raise missing(shown)
    return Blob(
        name=name,
        size=len(text),
        etag=f'"{hashlib.sha256(text).hexdigest()[:32]}"',
        modified_at=datetime.now(UTC),
        media_type=TEXT,
        type=BLOCK_BLOB,
        content=text,
    )


def _opened(found: KeptFile, folder: Path, *, media_type: str, kind: str) -> Blob:
    """Open a file in a folder of its build.

    :raises ArmError: it is gone, or its record names another place.
    """
    if found.path.parent != folder:
        raise missing(found.path.name)
    try:
        descriptor = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise missing(found.path.name) from None
    file = os.fdopen(descriptor, "rb", buffering=0)
    status = os.fstat(descriptor)
    return Blob(
        name=found.path.name,
        size=status.st_size,
        etag=f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"',
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        media_type=media_type,
        type=kind,
        content=file,
    )


def _error(status: int, code: str, message: str) -> ArmError:
    return ArmError(status, code, message, headers={"x-ms-error-code": code})
