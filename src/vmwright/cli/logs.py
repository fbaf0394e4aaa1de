"""A build's logs on the screen: from this host, or as the shared store has them; on and on where wished."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from vmwright.builds.log import FILE_NAME, VALIDATION
from vmwright.cli.screen import printable
from vmwright.errors import VmwrightError
from vmwright.runs.hints import SHORT
from vmwright.runs.listing import end_interrupted, get_run
from vmwright.runs.logs import read_log

if TYPE_CHECKING:
    from vmwright.settings import Settings
    from vmwright.state.database import Database

# The log may grow on another host, and be read out of the store: of that there is no event.
POLL_SECONDS = 0.5


async def print_logs(build_id: str, settings: Settings, database: Database, *, follow: bool) -> None:
    """Print what a build's logs have; with ``follow`` also what comes, until the build ends.

    :raises VmwrightError: there are none (yet), or they are on another host.
    """
    shown = {FILE_NAME: 0, VALIDATION: 0}
    while True:
        end_interrupted(database)
        is_over = get_run(database, build_id).ended_at is not None
        for name, count in shown.items():
            data = await read_log(build_id, name, settings, database, after=count)
            if data:
                # whole lines, while more may come
                whole = data if is_over or not follow else data[: data.rfind(b"\n") + 1]
                print_log(whole)
                shown[name] += len(whole)
        if is_over or not follow:
            break
        await asyncio.sleep(POLL_SECONDS)
    if not any(shown.values()):
        if is_over:
            raise VmwrightError("This build has no log (any more)")
        raise VmwrightError(
            "The build waits in the queue, it has no log yet",
            hint=f"vmwright logs -f {build_id[:SHORT]} shows it as soon as there is one",
        )


def print_log(log: bytes) -> None:
    """Print whole lines of a log."""
    text = log.decode(errors="replace")
    print(printable(text) if sys.stdout.isatty() else text, end="", flush=True)
