"""How the command line writes quantities: durations, times, sizes, ages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.events import Outcome
from vmwright.runs.hints import SHORT

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from vmwright.events import StepCached

KIB = 1024
MINUTES_OF_TWO_HOURS = 120
HOURS_OF_TWO_DAYS = 48
ENDED = {Outcome.PARTIALLY_SUCCEEDED: "partially succeeded", Outcome.CANCELED: "cancelled"}


def duration(seconds: float) -> str:
    """Return ``0.4 s``, ``12 s``, ``3 min 05 s`` or ``1 h 02 min``."""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a tenth matters
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def counted(count: int, thing: str) -> str:
    """Return ``1 step`` or ``2 steps``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def ended(outcome: Outcome) -> str:
    """Return how something ended, in a sentence: ``partially succeeded``."""
    return ENDED.get(outcome, outcome)


def cached(event: StepCached) -> str:
    """Return what is said of a step that is not run: ``step 1/2 x (Shell): from the cache ...``."""
    step = f"step {event.number}/{event.total} {event.name} ({event.kind})" if event.kind else event.name
    ago = age(event.at - event.made_at)
    return f"{step}: from the cache (made {ago} ago by build {event.build[:SHORT]})"


def size(count: int) -> str:
    """Return a number of bytes with a binary unit: ``512 B``, ``1.5 KiB``, ``4.0 GiB``."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < KIB:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= KIB
    return f"{value:.1f} TiB"


def minute(at: datetime) -> str:
    """Return a time to the minute, as this host's clock shows it: ``2025-10-01 14:05``."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def age(time: timedelta) -> str:
    """Return ``3 min``, ``5 h`` or ``12 days``."""
    minutes = int(time.total_seconds()) // 60
    if minutes < MINUTES_OF_TWO_HOURS:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < HOURS_OF_TWO_DAYS else f"{hours // 24} days"
