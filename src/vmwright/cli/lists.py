"""The commands that show what is recorded of runs: a table or JSON with ``id``, and a run's log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.builds import records
from vmwright.builds.log import FILE_NAME, VALIDATION
from vmwright.cli.running import opened
from vmwright.cli.screen import print_json, table
from vmwright.cli.words import duration
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from vmwright.builds.records import RunRecord


def runs(*, as_json: bool) -> None:
    """List builds, newest first."""
    with opened() as (_, database):
        found = records.runs(database)
    if as_json:
        print_json([run.as_document() for run in found])
        return
    table(("ID", "NAME", "STATE", "STARTED", "TOOK", "MACHINE"), [_run_row(run) for run in found])


def logs(run: str) -> None:
    """Print the customization.log of a build, and its validation.log where it has one."""
    with opened() as (_, database):
        log = Path(records.find_run(database, run).folder) / FILE_NAME
        if not log.exists():
            raise VmwrightError(f"The log of this build is gone: {log}")
    for part in (log, log.with_name(VALIDATION)):
        if part.exists():
            print(part.read_text(errors="replace"), end="")


def _run_row(run: RunRecord) -> tuple[str, ...]:
    took = duration((run.ended_at - run.started_at).total_seconds()) if run.ended_at else "-"
    state = f"{run.run_state} ({run.run_sub_state})" if run.run_sub_state else run.run_state
    return (
        run.id[:8],
        run.name,
        state,
        f"{run.started_at.astimezone():%Y-%m-%d %H:%M}",
        took,
        run.machine or "-",
    )
