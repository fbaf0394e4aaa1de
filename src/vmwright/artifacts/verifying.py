"""Whether a finished file is still what the sums beside it say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts import checksums, files, sums
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts.sums import Piece

MOST_NAMED = 3


async def verify(path: Path) -> None:
    """Check a file against ``NAME.sums``, and that against ``SHA256SUMS``; without it against ``SHA256SUMS``.

    :raises VmwrightError: they differ (the message says where), there are none, or they cannot be read.
    :raises OSError: the file cannot be read.
    """
    try:
        of_folder = path.with_name(checksums.SUMS)
        pieces = path.with_name(path.name + sums.ENDING)
        if pieces.exists():
            await _compare(pieces, checksums.find(of_folder, pieces.name))
            await _compare_pieces(path, pieces)
        elif expected := checksums.find(of_folder, path.name):
            await _compare(path, expected)
        else:
            raise VmwrightError(
                f"{path} has no sums beside it",
                target=str(path),
                hint=f"a build leaves them in {path.name}{sums.ENDING} or {checksums.SUMS}",
            )
    except UnicodeError as error:
        raise VmwrightError(f"The sums beside {path} cannot be read: {error}", target=str(path)) from None


async def _compare(path: Path, expected: str | None) -> None:
    if expected and (actual := await files.sha256_of(path)) != expected:
        raise VmwrightError(f"{path} has the SHA-256 {actual}, not {expected}", target=str(path))


async def _compare_pieces(path: Path, beside: Path) -> None:
    expected, actual = sums.read_sums(beside), await sums.sums_of(path)
    if actual.size_bytes != expected.size_bytes:
        raise VmwrightError(
            f"{path} has {actual.size_bytes} bytes, not {expected.size_bytes}", target=str(path)
        )
    if different := expected.differing(actual):
        raise VmwrightError(f"{path} differs from its sums in {_named(different)}", target=str(path))


def _named(pieces: tuple[Piece, ...]) -> str:
    named = ", ".join(f"{one.length} bytes from {one.offset} on" for one in pieces[:MOST_NAMED])
    more = len(pieces) - MOST_NAMED
    return f"{named}, and {more} more pieces" if more > 0 else named
