"""Checksum files as vendors write them: one sum a line, in the form of GNU or of BSD, or a sum alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

LENGTHS = {64: "sha256", 128: "sha512"}
GNU = re.compile(r"([0-9a-fA-F]{64,128})\s+\*?(?:\./)?(\S+)")
BSD = re.compile(r"SHA(?:256|512)\s*\((?:\./)?(.+)\)\s*=\s*([0-9a-fA-F]{64,128})")
ALONE = re.compile(r"[0-9a-fA-F]{64,128}")


@dataclass(frozen=True, slots=True)
class Sum:
    """A checksum in lower-case hex; ``algorithm`` as hashlib names it: sha256 or sha512."""

    algorithm: str
    digest: str


def find_sum(text: str, name: str, *, alone: bool = False) -> Sum | None:
    """Return the checksum of a file; the strongest where there are several.

    Signatures and comments around the sums (a clear-signed file) are passed over; nothing is verified here.

    :param name: the file's name, without a folder.
    :param alone: the text belongs to that one file: a sum without a name, or the only one there is, is its.
    """
    sums = [found for line in text.splitlines() if (found := _read(line.strip()))]
    fit = [one for told, one in sums if told == name]
    if not fit and alone and len(sums) == 1:
        fit = [sums[0][1]]
    return max(fit, key=lambda one: len(one.digest), default=None)


def _read(line: str) -> tuple[str, Sum] | None:
    if found := BSD.fullmatch(line):
        name, digest = found.groups()
    elif found := GNU.fullmatch(line):
        digest, name = found.groups()
    elif ALONE.fullmatch(line):
        name, digest = "", line
    else:
        return None
    algorithm = LENGTHS.get(len(digest))
    return (name, Sum(algorithm, digest.lower())) if algorithm else None
