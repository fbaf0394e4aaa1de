"""The script or file of one step, as it was fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A file on this host with its SHA-256; ``digest`` names it in the shared store, where it is there."""

    number: int
    path: Path
    sha256: str
    digest: str | None
