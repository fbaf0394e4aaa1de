"""What has been made of the very same disk before, so that it need not be made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts.publish import Published
    from vmwright.artifacts.sums import Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFile:
    """A file that is whole: where it is, its sums, and the SHA-256 of all of it where that is known."""

    path: Path
    sums: Sums
    sha256: str | None


class MadeBefore(Protocol):
    """What is kept of the disk that is distributed, and where more of it is left for the next time."""

    async def file(self, ending: str) -> MadeFile | None:
        """Return the file of a format (vhd, qcow2, raw), checked now; None where there is none."""

    async def keep_file(self, ending: str, made: Published) -> None:
        """Keep a file that was made for the user."""

    async def artifact(self) -> str | None:
        """Return the digest of the artifact that was made of the disk; None where there is none."""

    async def keep_artifact(self, digest: str) -> None:
        """Keep which artifact was made of the disk."""

    def linked(self) -> None:
        """Note that a file of the user is one of those that are kept, by another name."""
