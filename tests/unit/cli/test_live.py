"""What a terminal shows while a build runs."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from vmwright.cli.live import LiveTerminal
from vmwright.events import Phase, PhaseStarted, Progress


def drawn(terminal: LiveTerminal) -> str:
    console = Console(file=StringIO(), width=100)
    with console.capture() as captured:
        console.print(terminal)
    return captured.get()


def test_transfers_that_run_at_once_are_all_shown_until_they_end() -> None:
    terminal = LiveTerminal(Console(file=StringIO(), width=100))
    terminal(PhaseStarted(phase=Phase.SOURCE, detail="a:b:c"))
    terminal(Progress(what="the disk", done=1, total=4))
    terminal(Progress(what="the script", done=1, total=4))
    assert all(what in drawn(terminal) for what in ("the disk", "the script"))
    terminal(Progress(what="the script", done=4, total=4))
    assert "the disk" in drawn(terminal)
    assert "the script" not in drawn(terminal)
