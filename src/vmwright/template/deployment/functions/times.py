"""Functions of dates and times; all of them in UTC, written as .NET's invariant culture does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.functions.function import Function, Kind, Style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vmwright.template.deployment.site import Site

BASIC = "yyyyMMddTHHmmssZ"
ISO = "yyyy-MM-ddTHH:mm:ssZ"
UNIVERSAL = "yyyy-MM-dd HH:mm:ssZ"
# A text of one of these forms is answered in the same form.
FORMS = ((re.compile(r"[0-9]{8}T[0-9]{6}Z"), BASIC), (re.compile(r"[-0-9]{10} [:0-9]{8}Z"), UNIVERSAL))
STANDARD: Mapping[str, str] = MappingProxyType(
    {
        "d": "MM/dd/yyyy",
        "D": "dddd, dd MMMM yyyy",
        "f": "dddd, dd MMMM yyyy HH:mm",
        "F": "dddd, dd MMMM yyyy HH:mm:ss",
        "g": "MM/dd/yyyy HH:mm",
        "G": "MM/dd/yyyy HH:mm:ss",
        "m": "MMMM dd",
        "M": "MMMM dd",
        "o": "yyyy-MM-ddTHH:mm:ss.fffffffZ",
        "O": "yyyy-MM-ddTHH:mm:ss.fffffffZ",
        "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
        "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
        "s": "yyyy-MM-ddTHH:mm:ss",
        "t": "HH:mm",
        "T": "HH:mm:ss",
        "u": UNIVERSAL,
        "y": "yyyy MMMM",
        "Y": "yyyy MMMM",
    }
)
TOKEN = re.compile(r"'([^']*)'|\\(.)|(y{1,5}|M{1,4}|d{1,4}|H{1,2}|h{1,2}|m{1,2}|s{1,2}|f{1,7}|t{1,2}|K)")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NOON = 12
PARTS: Mapping[str, Callable[[datetime], str]] = MappingProxyType(
    {
        "yyyy": lambda at: f"{at.year:04d}",
        "yyyyy": lambda at: f"{at.year:05d}",
        "yyy": lambda at: f"{at.year:03d}",
        "yy": lambda at: f"{at.year % 100:02d}",
        "y": lambda at: str(at.year % 100),
        "MMMM": lambda at: MONTHS[at.month - 1],
        "MMM": lambda at: MONTHS[at.month - 1][:3],
        "MM": lambda at: f"{at.month:02d}",
        "M": lambda at: str(at.month),
        "dddd": lambda at: DAYS[at.weekday()],
        "ddd": lambda at: DAYS[at.weekday()][:3],
        "dd": lambda at: f"{at.day:02d}",
        "d": lambda at: str(at.day),
        "HH": lambda at: f"{at.hour:02d}",
        "H": lambda at: str(at.hour),
        "hh": lambda at: f"{(at.hour - 1) % NOON + 1:02d}",
        "h": lambda at: str((at.hour - 1) % NOON + 1),
        "mm": lambda at: f"{at.minute:02d}",
        "m": lambda at: str(at.minute),
        "ss": lambda at: f"{at.second:02d}",
        "s": lambda at: str(at.second),
        "tt": lambda at: "AM" if at.hour < NOON else "PM",
        "t": lambda at: "A" if at.hour < NOON else "P",
        "K": lambda _: "Z",
    }
)
DURATION = re.compile(
    r"(?P<sign>-?)P(?:(?P<years>[0-9]{1,6})Y)?(?:(?P<months>[0-9]{1,6})M)?(?:(?P<weeks>[0-9]{1,6})W)?"
    r"(?:(?P<days>[0-9]{1,7})D)?"
    r"(?:T(?:(?P<hours>[0-9]{1,8})H)?(?:(?P<minutes>[0-9]{1,9})M)?(?:(?P<seconds>[0-9]{1,9})(?:\.[0-9]+)?S)?)?"
)


def written(at: datetime, pattern: str) -> str:
    """Write a time by a .NET format: a standard one of one letter, or a custom one."""

    def part(found: re.Match[str]) -> str:
        if found[3] is None:
            return found[1] if found[1] is not None else found[2]
        if found[3].startswith("f"):
            return f"{at.microsecond:06d}0"[: len(found[3])]
        return PARTS[found[3]](at)

    if len(pattern) == 1 and pattern not in STANDARD:
        raise FaultError(f"`{pattern}` is no format of a time.", hint="such as u, o, d or yyyy-MM-dd")
    return TOKEN.sub(part, STANDARD.get(pattern, pattern).removeprefix("%"))


def read(text: str) -> datetime:
    """Read a time in ISO 8601; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise FaultError(f"`{text[:40]}` is no time.", hint="such as 2026-01-31T12:00:00Z") from None


def duration(text: str) -> timedelta:
    """Read a duration in ISO 8601: a year has 365 days and a month 30, as in .NET."""
    found = DURATION.fullmatch(text)
    numbers = (
        {name: int(one) for name, one in found.groupdict().items() if one and name != "sign"} if found else {}
    )
    if found is None or not numbers:
        raise FaultError(f"`{text[:40]}` is no duration.", hint="such as P1D, -PT8H or P1Y2M3DT4H5M6S")
    days = numbers.pop("years", 0) * 365 + numbers.pop("months", 0) * 30 + numbers.pop("days", 0)
    length = timedelta(days=days, **numbers)
    return -length if found["sign"] else length


def added(base: str, length: str, pattern: str | None = None) -> str:
    """Add a duration to a time, written by a format or as the time was."""
    form = next((form for known, form in FORMS if known.fullmatch(base)), ISO)
    try:
        return written(read(base) + duration(length), pattern or form)
    except OverflowError:
        raise FaultError(f"dateTimeAdd(): {base} and {length} leave the calendar.") from None


def from_epoch(seconds: int) -> str:
    """Return the time that is so many seconds after 1970."""
    try:
        return written(datetime.fromtimestamp(seconds, UTC), ISO)
    except (ValueError, OverflowError, OSError):
        raise FaultError(f"dateTimeFromEpoch(): {seconds} leaves the calendar.") from None


def utc_now(site: Site, pattern: str = BASIC) -> str:
    """Return the time of the deployment; in a parameter's default only."""
    site.check_generated("utcNow")
    return written(site.scope.host.now, pattern)


def new_guid(site: Site) -> str:
    """Return a new GUID; in a parameter's default only."""
    site.check_generated("newGuid")
    return site.scope.host.new_guid()


FUNCTIONS = (
    Function("dateTimeAdd", added, (Kind.TEXT, Kind.TEXT, Kind.TEXT), needs=2),
    Function("dateTimeToEpoch", lambda text: int(read(text).timestamp()), (Kind.TEXT,)),
    Function("dateTimeFromEpoch", from_epoch, (Kind.INTEGER,)),
    Function("utcNow", utc_now, (Kind.TEXT,), needs=0, style=Style.SITE),
    Function("newGuid", new_guid, style=Style.SITE),
)
