"""A file that is being fetched: beside its destination until it is whole and is what it should be."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from vmwright.downloads.retries import TransientError
from vmwright.errors import DownloadError

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


class PartialFile:
    """``<destination>.part``: written in one go or in parts of one and the same version."""

    def __init__(self, destination: Path, algorithm: str = "sha256") -> None:
        self.destination = destination
        self.path = destination.with_name(f"{destination.name}.part")
        self.size = 0
        self.parts = 1
        self._algorithm = algorithm
        self._digest = hashlib.new(algorithm)
        self._validator: str | None = None
        try:
            self._file = self.path.open("wb")
        except OSError as error:
            raise self._unwritable(error) from None

    @property
    def digest(self) -> str:
        """The checksum of what is written so far, in lower-case hex."""
        return self._digest.hexdigest()

    @property
    def range_headers(self) -> dict[str, str]:
        """What to ask for the rest with, provided that the file has not changed meanwhile."""
        if not self.size or self._validator is None:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self._validator}

    def begin(self, response: httpx2.Response) -> int | None:
        """Take up what a response brings, from the start or from where the last one broke off.

        Returns the size of the whole file in bytes, or None where the server does not say.

        :raises TransientError: the response brings another part than the one asked for.
        """
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            return self._continue(response.headers.get("Content-Range", ""))
        self.restart()
        etag = response.headers.get("ETag", "W/")
        self._validator = None if etag.startswith("W/") else etag
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None

    def write(self, chunk: bytes) -> None:
        """Append a chunk.

        :raises DownloadError: the disk is full, or fails.
        """
        try:
            self._file.write(chunk)
        except OSError as error:
            raise self._unwritable(error) from None
        self._digest.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget what is written."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.new(self._algorithm)
        self.size, self.parts, self._validator = 0, 1, None

    def commit(self) -> None:
        """Give the file its name, after its bytes are on the disk. Blocks."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self.path.replace(self.destination)
        except OSError as error:
            raise self._unwritable(error) from None

    def discard(self) -> None:
        """Remove what is left of a file that did not get its name."""
        with contextlib.suppress(OSError):  # a full disk fails again at the last flush
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _continue(self, content_range: str) -> int | None:
        told = CONTENT_RANGE.fullmatch(content_range)
        if told is None or int(told[1]) != self.size:
            self.restart()
            raise TransientError("the server sent another part of the file than the one asked for")
        self.parts += 1
        return None if told[2] == "*" else int(told[2])

    def _unwritable(self, error: OSError) -> DownloadError:
        return DownloadError(
            f"{self.destination} cannot be written: {error.strerror}",
            target=str(self.destination),
            hint="check the space and the rights of that folder",
        )
