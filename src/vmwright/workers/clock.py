"""The clock of leases and beats on this host; imports little, for the keeper's sake."""

from __future__ import annotations

import time


def seconds() -> float:
    """Return seconds since the host was started, those in which it slept among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
