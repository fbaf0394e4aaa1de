"""Saying where a build is."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from vmwright.events import Phase, PhaseEnded, PhaseStarted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.events import Events


@contextlib.contextmanager
def phase(events: Events, name: Phase, detail: str = "") -> Iterator[None]:
    """Say that a phase begins and, where it succeeds, how long it took."""
    begun = time.monotonic()
    events.say(PhaseStarted(phase=name, detail=detail))
    yield
    events.say(PhaseEnded(phase=name, seconds=time.monotonic() - begun))
