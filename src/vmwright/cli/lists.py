"""The commands that show what is recorded: runs and templates as a table or JSON, a run's log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.cli.running import opened
from vmwright.cli.screen import print_json, table
from vmwright.cli.words import duration, minute
from vmwright.runs import listing
from vmwright.runs.hints import SHORT
from vmwright.runs.states import RunState
from vmwright.runs.templates import templates as kept_templates

if TYPE_CHECKING:
    from vmwright.runs.listing import RunRecord
    from vmwright.runs.templates import TemplateRecord


def runs(*, as_json: bool) -> None:
    """List builds, newest first."""
    with opened() as (_, database):
        found = listing.runs(database)
        is_shared = database.is_shared
    if as_json:
        print_json([run.as_document() for run in found])
        return
    headings = ("ID", "NAME", "STATE", "TRY", "STARTED", "TOOK", "MACHINE")
    if is_shared:
        table((*headings, "HOST"), [(*_run_row(run), run.host or "-") for run in found])
    else:
        table(headings, [_run_row(run) for run in found])


def templates(*, as_json: bool) -> None:
    """List the templates that were built, the one that was built last first."""
    with opened() as (_, database):
        found = kept_templates(database)
    if as_json:
        print_json([template.as_document() for template in found])
        return
    table(("NAME", "API VERSION", "BUILT", "LAST RUN", "STATE"), [_template_row(one) for one in found])


def logs(name: str, *, follow: bool) -> None:
    """Print the customization.log of a build, and its validation.log where it has one."""
    from vmwright.cli.logs import print_logs

    with opened() as (settings, database):
        found = listing.find_run(database, name)
        asyncio.run(print_logs(found.id, settings, database, follow=follow))


def _run_row(run: RunRecord) -> tuple[str, ...]:
    state = run.run_sub_state if run.run_state is RunState.RUNNING and run.run_sub_state else run.run_state
    if run.place is not None:
        state = f"{state}, place {run.place}"
    took = (
        "-"
        if run.attempt == 0
        else duration(((run.ended_at or datetime.now(UTC)) - run.started_at).total_seconds())
    )
    return (
        run.id[:SHORT],
        run.name,
        state,
        str(run.attempt or "-"),
        minute(run.started_at),
        took,
        run.machine or "-",
    )


def _template_row(template: TemplateRecord) -> tuple[str, ...]:
    return (
        template.name,
        template.api_version,
        minute(template.updated_at),
        template.last_run[:SHORT] if template.last_run else "-",
        template.last_state or "-",
    )
