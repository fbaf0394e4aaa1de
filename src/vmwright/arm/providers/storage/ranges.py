"""Parts of a blob, as a request asks for them (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

ONE = re.compile(r"bytes=(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<length>\d{1,18}))")


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from ``start`` up to ``stop``, without the latter."""

    start: int
    stop: int


class UnsatisfiableError(Exception):
    """There is nothing in the part that is asked for."""


def part_of(wanted: str, size: int) -> Part | None:
    """Return the part that a ``Range`` asks for; None where all is to be sent.

    What cannot be read counts as not given, and so do several parts at once: both may be answered with all.

    :raises UnsatisfiableError: it begins behind the end.
    """
    found = ONE.fullmatch(wanted.strip())
    if found is None:
        return None
    if found["length"] is not None:
        start, stop = max(0, size - int(found["length"])), size
    else:
        start = int(found["first"])
        stop = min(size, int(found["last"]) + 1) if found["last"] else size
        if found["last"] and int(found["last"]) < start:
            return None
    if start >= size:
        raise UnsatisfiableError
    return Part(start, stop)
