"""The numbers of gallery versions and how the service finds the next one (reference §11.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vmwright.errors import DistributeError
from vmwright.template.contract import INT32_MAX
from vmwright.template.model import Versioning, VersioningScheme

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

# The first api-version with ``versioning``; before it, numbers are made of the time.
VERSIONING_SINCE = "2022-07-01"
LOW_BITS = 16
LOW_MASK = (1 << LOW_BITS) - 1
PATTERN = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class VersionNumber:
    """The number of a version, ordered by its parts; each part is 0 to 2147483647."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


FIRST = VersionNumber(1, 0, 0)


def parse(text: str) -> VersionNumber:
    """Read a number; leading zeros do not count (``18.04.1`` is ``18.4.1``).

    :raises DistributeError: it is not Major.Minor.Patch, or a part is beyond a 32-bit integer.
    """
    match = PATTERN.fullmatch(text)
    parts = [_int(part) for part in match.groups()] if match else []
    if not parts or max(parts) > INT32_MAX:
        raise DistributeError(
            f"The image version name {text!r} is invalid. The image version name should follow "
            "Major(int).Minor(int).Patch(int) format, for e.g: 1.0.0, 2018.12.1 etc.",
            target="galleryImageVersionName",
            hint=f"each part is 0 to {INT32_MAX}",
        )
    return VersionNumber(*parts)


def choose(
    versioning: Versioning | None,
    *,
    api_version: str,
    taken: Collection[VersionNumber],
    source_version: str,
    at: datetime,
) -> VersionNumber:
    """Return the number of a version whose template names none; it is not one of ``taken``.

    :param versioning: what the template says; without it, the default of its api-version.
    :param taken: the numbers that the image definition has.
    :param source_version: the exact version of the source, "" where it has none.
    :param at: when the version is made.
    :raises DistributeError: no number can be had in this way.
    """
    if versioning is None and api_version < VERSIONING_SINCE:
        return of_time(at, taken)
    if versioning is not None and versioning.scheme is VersioningScheme.SOURCE:
        return of_source(source_version, taken)
    return after_latest(taken, major=versioning.major if versioning else None)


def of_time(at: datetime, taken: Collection[VersionNumber]) -> VersionNumber:
    """Return ``0.<t >> 16>.<t & 0xFFFF>``, t the seconds since 1970; of the next second that is not taken."""
    second = int(at.timestamp())
    while (number := VersionNumber(0, second >> LOW_BITS, second & LOW_MASK)) in taken:
        second += 1
    return number


def after_latest(taken: Collection[VersionNumber], *, major: int | None) -> VersionNumber:
    """Return the highest number with its patch one higher; the first is ``1.0.0``, or ``<major>.0.0``.

    :param major: keeps to the numbers of that major; None, or -1 as the API has it, to all.
    :raises DistributeError: the patch of the highest number can get no higher.
    """
    if major is None or major < 0:
        return _bumped(max(taken)) if taken else FIRST
    among = [number for number in taken if number.major == major]
    return _bumped(max(among)) if among else VersionNumber(major, 0, 0)


def of_source(source_version: str, taken: Collection[VersionNumber]) -> VersionNumber:
    """Return the number of the source's version; where it is taken, with the next free patch.

    :raises DistributeError: the source has no version of three numbers, or the patch can get no higher.
    """
    number = check_source(source_version)
    while number in taken:
        number = _bumped(number)
    return number


def check_source(source_version: str) -> VersionNumber:
    """Return the number that the scheme Source makes of a source's version; its patch may be taken.

    :raises DistributeError: there is none to be made.
    """
    if not source_version:
        raise DistributeError(
            "The versioning scheme Source needs a source that has a version",
            hint="a managed image has none: use the scheme Latest",
        )
    try:
        return parse(source_version)
    except DistributeError as error:
        raise DistributeError(
            f"The versioning scheme Source cannot use the source's version {source_version}: "
            "it is not three numbers, each at most 2147483647",
            hint="use the scheme Latest, or name the version in galleryImageId",
        ) from error


def _bumped(number: VersionNumber) -> VersionNumber:
    if number.patch == INT32_MAX:
        raise DistributeError(
            f"There is no version after {number}: its last part is the highest that there is",
            hint="name the next version in galleryImageId, or another major in versioning",
        )
    return replace(number, patch=number.patch + 1)


def _int(digits: str) -> int:
    """Read digits; more than a 32-bit integer has are not worth reading, and may be very many."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= len(str(INT32_MAX)) else INT32_MAX + 1
