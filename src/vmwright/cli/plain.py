"""Events as plain lines: for a pipe, a CI log, or a terminal that cannot redraw."""

from __future__ import annotations

import sys
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from vmwright.cli.screen import printable
from vmwright.cli.words import cached, counted, duration, ended
from vmwright.events import (
    BuildEnded,
    BuildQueued,
    BuildStarted,
    Distributed,
    Event,
    Level,
    Notice,
    Outcome,
    Output,
    PhaseEnded,
    PhaseStarted,
    StepCached,
    StepEnded,
    StepStarted,
)
from vmwright.runs.hints import SHORT

if TYPE_CHECKING:
    from typing import TextIO

# as wide as the time of day
INDENT = " " * 9


class PlainLines:
    """A reader of the event stream that prints each event as it comes, one line with its time of day."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def __call__(self, event: Event) -> None:
        """Print an event."""
        self._show(event)

    def _line(self, event: Event, text: str) -> None:
        lines = printable(text).replace("\n", f"\n{INDENT}")
        print(f"{event.at.astimezone():%H:%M:%S} {lines}", file=self._out, flush=True)

    @singledispatchmethod
    def _show(self, event: Event) -> None:
        """Progress is left out: on a pipe it is noise."""

    @_show.register
    def _(self, event: BuildQueued) -> None:
        text = f"build {event.build}: {event.template} waits for a worker"
        self._line(event, f"{text}; `vmwright logs -f {event.build[:SHORT]}` follows it")

    @_show.register
    def _(self, event: BuildStarted) -> None:
        self._line(event, f"build {event.build}: {event.template}, {counted(event.steps, 'step')}")

    @_show.register
    def _(self, event: PhaseStarted) -> None:
        self._line(event, f"{event.phase}: {event.detail}" if event.detail else event.phase)

    @_show.register
    def _(self, event: PhaseEnded) -> None:
        self._line(event, f"{event.phase}: done in {duration(event.seconds)}")

    @_show.register
    def _(self, event: StepStarted) -> None:
        self._line(event, f"step {event.number}/{event.total} {event.name} ({event.kind})")

    @_show.register
    def _(self, event: StepCached) -> None:
        self._line(event, cached(event))

    @_show.register
    def _(self, event: Output) -> None:
        self._line(event, f"    {event.line}")

    @_show.register
    def _(self, event: StepEnded) -> None:
        code = "" if event.exit_code in {0, None} else f", exit code {event.exit_code}"
        self._line(event, f"step {event.number} {ended(event.outcome)} in {duration(event.seconds)}{code}")

    @_show.register
    def _(self, event: Notice) -> None:
        self._line(event, f"warning: {event.message}" if event.level is Level.WARNING else event.message)

    @_show.register
    def _(self, event: Distributed) -> None:
        said = event.artifact if event.outcome is Outcome.SUCCEEDED else event.error
        self._line(event, f"{event.kind} {event.run_output} {event.outcome}: {said}")

    @_show.register
    def _(self, event: BuildEnded) -> None:
        self._line(event, f"build {ended(event.outcome)} in {duration(event.seconds)}")
