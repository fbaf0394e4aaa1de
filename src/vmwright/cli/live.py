"""Events on a terminal: what is done stays as lines, what runs is redrawn below them.

The last lines of a running step, its elapsed time and the progress of long transfers are drawn in place,
so that a glance tells what the build is doing; when a step ends they go away, unless it failed.
"""

from __future__ import annotations

import time
from collections import deque
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from vmwright.cli.screen import printable
from vmwright.cli.words import cached, duration, size
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
    Progress,
    StepCached,
    StepEnded,
    StepStarted,
)
from vmwright.runs.hints import SHORT

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import ConsoleOptions, RenderResult

SHOWN_LINES = 6
SHOWN_BARS = 4
REDRAWS_PER_SECOND = 8


class LiveTerminal:
    """A reader of the event stream that draws it on a terminal; a context manager that ends the drawing."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._lines: deque[str] = deque(maxlen=SHOWN_LINES)
        self._running = ""
        self._phase = ""
        self._since = time.monotonic()
        self._progress: dict[str, Progress] = {}
        self._spinner = Spinner("dots")
        self._live = Live(self, console=self.console, transient=True, refresh_per_second=REDRAWS_PER_SECOND)

    def __enter__(self) -> LiveTerminal:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Draw an event."""
        self._show(event)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what runs: spinner, elapsed time, progress, last lines."""
        if not self._running:
            return
        head = Table.grid(padding=(0, 1))
        head.add_row(self._spinner, Text(self._running, style="bold"), Text(self._elapsed(), style="dim"))
        parts: list[Table | Text] = [head]
        parts.extend(map(_bar, [*self._progress.values()][-SHOWN_BARS:]))
        width = max(options.max_width - 4, 20)
        parts.extend(Text(f"    {line[:width]}", style="dim", no_wrap=True) for line in self._lines)
        yield Group(*parts)

    def _elapsed(self) -> str:
        return duration(time.monotonic() - self._since)

    def _begin(self, what: str) -> None:
        self._running, self._since = what, time.monotonic()
        self._progress.clear()
        self._lines.clear()

    def _keep(self, mark: str, style: str, text: str, detail: str = "") -> None:
        self.console.print(
            Text.assemble(
                (f"{mark} ", style),
                printable(text).replace("\n", "\n  "),
                (printable(f"  {detail}" if detail else ""), "dim"),
            ),
            highlight=False,
            soft_wrap=True,
        )

    @singledispatchmethod
    def _show(self, event: Event) -> None:
        """Events without a picture of their own are left out."""

    @_show.register
    def _(self, event: BuildQueued) -> None:
        follows = f"`vmwright logs -f {event.build[:SHORT]}` follows it"
        self._keep("•", "bold", f"{event.template} waits for a worker", f"build {event.build}; {follows}")

    @_show.register
    def _(self, event: BuildStarted) -> None:
        self._keep("•", "bold", f"{event.template}", f"build {event.build}")

    @_show.register
    def _(self, event: PhaseStarted) -> None:
        self._phase = f"{event.phase}: {event.detail}" if event.detail else event.phase
        self._begin(self._phase)

    @_show.register
    def _(self, event: PhaseEnded) -> None:
        self._keep("✓", "green", self._phase, duration(event.seconds))
        self._begin("")

    @_show.register
    def _(self, event: StepStarted) -> None:
        self._begin(f"step {event.number}/{event.total} {event.name} ({event.kind})")

    @_show.register
    def _(self, event: Output) -> None:
        self._lines.append(printable(event.line))

    @_show.register
    def _(self, event: Progress) -> None:
        if event.total and event.done >= event.total:
            self._progress.pop(event.what, None)
        else:
            self._progress[event.what] = event

    @_show.register
    def _(self, event: StepEnded) -> None:
        ok = event.outcome is Outcome.SUCCEEDED
        if not ok:
            for line in self._lines:
                self.console.print(Text(f"    {line}", style="dim"))
        self._keep("✓" if ok else "✗", "green" if ok else "bold red", self._running, duration(event.seconds))
        self._begin(self._phase)

    @_show.register
    def _(self, event: StepCached) -> None:
        self._keep("✓", "green", cached(event))

    @_show.register
    def _(self, event: Notice) -> None:
        warning = event.level is Level.WARNING
        self._keep("!" if warning else "·", "yellow" if warning else "dim", event.message)

    @_show.register
    def _(self, event: Distributed) -> None:
        ok = event.outcome is Outcome.SUCCEEDED
        text = f"{event.kind} {event.run_output}"
        self._keep(
            "✓" if ok else "✗", "green" if ok else "bold red", text, event.artifact if ok else event.error
        )

    @_show.register(BuildEnded)
    def _(self, _event: BuildEnded) -> None:
        self._begin("")


def _bar(progress: Progress) -> Table:
    row = Table.grid(padding=(0, 1))
    done = size(progress.done)
    if progress.total:
        bar = ProgressBar(total=progress.total, completed=progress.done, width=32)
        row.add_row("   ", Text(progress.what), bar, Text(f"{done} of {size(progress.total)}", style="dim"))
    else:
        row.add_row("   ", Text(progress.what), Text(done, style="dim"))
    return row
