"""``vmwright cancel``: a build ends within seconds, also where nobody is left who runs it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.cli.running import opened, run
from vmwright.errors import VmwrightError
from vmwright.runs.executors import living
from vmwright.runs.hints import SHORT
from vmwright.runs.listing import find_run, get_run
from vmwright.runs.queue import CancelAnswer, ask_cancel
from vmwright.runs.waking import wake

if TYPE_CHECKING:
    from vmwright.settings import Settings
    from vmwright.state.database import Database

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 60.0


def cancel_run(name: str) -> None:
    """Cancel a build and wait for its end."""
    with opened() as (settings, database):
        found = find_run(database, name, running=True)
        answer = ask_cancel(database, found.id)
        if answer is CancelAnswer.ENDED:
            raise VmwrightError(
                f"Build {found.id} has ended already: {found.run_state}",
                hint="vmwright runs lists all builds",
            )
        if answer is CancelAnswer.ASKED_BEFORE:
            print(f"build {found.id} is being cancelled already{_at(found.host)} ...", flush=True)
        elif answer is CancelAnswer.ASKED:
            print(f"cancelling build {found.id}{_at(found.host)} ...", flush=True)
        if wake(database, found.id):
            print("its process was stopped: it goes on, to end the build", flush=True)
        if answer is not CancelAnswer.CANCELED:
            run(_ended(found.id, settings, database))
        ended = get_run(database, found.id)
        print(f"build {ended.id}: {ended.run_state}")
        for output in ended.outputs:
            if not output.error:
                print(f"  {output.name} stays: {output.artifact}")


def _at(host: str | None) -> str:
    return f" on {host}" if host else ""


async def _ended(build_id: str, settings: Settings, database: Database) -> None:
    """Wait until whoever has the build has ended it; do that here where nobody has it, or not any more.

    :raises VmwrightError: it takes too long.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            # another host may run it: there is no event
            while (found := get_run(database, build_id)).ended_at is None:
                if found.host is None:
                    from vmwright.cli.clearing import end_unowned

                    if await end_unowned(build_id, settings, database):
                        return
                await asyncio.sleep(POLL_SECONDS)
                living(database)
    except TimeoutError:
        raise VmwrightError(
            f"Build {build_id} has not ended within {PATIENCE_SECONDS:g} seconds",
            hint=f"vmwright logs {build_id[:SHORT]} tells what it is at; cancel again once its host is gone",
        ) from None
