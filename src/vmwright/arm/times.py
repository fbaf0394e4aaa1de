"""Points in time as the service writes them."""

from __future__ import annotations

from datetime import UTC, datetime

# Go's zero time: of a run that has not ended (reference §6.2).
NONE = "0001-01-01T00:00:00Z"


def short(at: datetime) -> str:
    """Return a time of an operation: UTC, fractions of a second without zeros at their end."""
    text = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".")
    return f"{text}Z"
