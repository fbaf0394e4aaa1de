"""A file in chunks, as the shared store keeps it: those that are all zeros are not kept.

All of these block for as long as a chunk takes: they are for threads. Each opens the file anew, so that
one that runs on after its caller was cancelled harms nobody.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vmwright.artifacts.files import data_extents

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_BYTES = 16 << 20
LARGEST_CHUNK = 1 << 30
BLOCK = 1 << 20
ZEROS = bytes(BLOCK)


class Manifest(BaseModel):
    """What a stored file is made of; ``chunks``: number from 0 -> SHA-256; what is not there is zeros."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Literal[1] = 1
    size_bytes: Annotated[int, Field(ge=0)]
    chunk_bytes: Annotated[int, Field(gt=0, le=LARGEST_CHUNK)] = CHUNK_BYTES
    chunks: dict[Annotated[int, Field(ge=0)], Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]

    @model_validator(mode="after")
    def _within(self) -> Self:
        if any(index * self.chunk_bytes >= self.size_bytes for index in self.chunks):
            raise ValueError("a chunk lies behind the end")
        return self

    def length(self, index: int) -> int:
        """Return the length of a chunk: the last one may be shorter."""
        return length(index, self.size_bytes, self.chunk_bytes)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a file, and the SHA-256 of it."""

    data: bytes
    sha256: str


def length(index: int, size_bytes: int, chunk_bytes: int = CHUNK_BYTES) -> int:
    """Return the length of a chunk of a file."""
    return min(chunk_bytes, size_bytes - index * chunk_bytes)


def with_data(path: Path) -> list[int]:
    """Return the numbers of the chunks of a file that are not wholly holes."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        found: dict[int, None] = {}
        for start, stop in data_extents(file.fileno(), size):
            found |= dict.fromkeys(range(start // CHUNK_BYTES, -(-stop // CHUNK_BYTES)))
    return list(found)


def read(path: Path, index: int) -> Chunk | None:
    """Return a chunk of a file, or None where it is zeros."""
    with path.open("rb") as file:
        file.seek(index * CHUNK_BYTES)
        data = file.read(CHUNK_BYTES)
    if all(data[at : at + BLOCK] == ZEROS[: len(data) - at] for at in range(0, len(data), BLOCK)):
        return None
    return Chunk(data, hashlib.sha256(data).hexdigest())


def write(path: Path, offset: int, data: bytes) -> None:
    """Write a chunk into a laid-out file; blocks of zeros stay holes."""
    with path.open("r+b") as file:
        for at in range(0, len(data), BLOCK):
            block = data[at : at + BLOCK]
            if block != ZEROS[: len(block)]:
                file.seek(offset + at)
                file.write(block)


def is_intact(data: bytes, manifest: Manifest, index: int) -> bool:
    """Return whether a chunk is what its manifest says."""
    return len(data) == manifest.length(index) and hashlib.sha256(data).hexdigest() == manifest.chunks[index]
