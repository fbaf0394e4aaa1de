"""Ending a cancelled build that nobody runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.cli.attempts import own_runner
from vmwright.cli.running import shown_events
from vmwright.errors import BuildCanceledError
from vmwright.runs.queue import claim
from vmwright.workers.reaper import reap

if TYPE_CHECKING:
    from vmwright.settings import Settings
    from vmwright.state.database import Database


async def end_unowned(build_id: str, settings: Settings, database: Database) -> bool:
    """End a build that nobody runs: what it has on this host goes, the rest when its host is there again.

    :returns: whether it has ended here.
    """
    async with own_runner(settings, database) as runner:
        claimed = claim(database, build_id, runner.executor)
        if claimed is None:
            return False
        with shown_events(as_json_lines=False) as events:
            await reap(database, events, settings=settings)
            result = await runner.run(claimed, events)
    if result.error is not None and not isinstance(result.error, BuildCanceledError):
        raise result.error
    return True
