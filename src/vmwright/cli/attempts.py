"""Running builds in a command's own process, and saying how they ended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from vmwright.cli.running import print_error
from vmwright.cli.screen import say
from vmwright.cli.words import duration, ended, size
from vmwright.events import Event, Events, Notice
from vmwright.machines.machine import MachineKind
from vmwright.machines.sizes import host_capacity
from vmwright.runs.executors import ExecutorKind, Offer
from vmwright.runs.going_on import way_on
from vmwright.workers.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.builds.build import BuildResult
    from vmwright.settings import Settings
    from vmwright.state.database import Database


@contextlib.asynccontextmanager
async def own_runner(settings: Settings, database: Database) -> AsyncIterator[Runner]:
    """Give what runs the builds of this command, here and now."""
    offer = Offer.of_this_host(frozenset(MachineKind), host_capacity(), kvm=False)
    events = Events(_say_notice)
    async with Runner.opened(settings, database, events, kind=ExecutorKind.BUILD, offer=offer) as runner:
        yield runner


def report(result: BuildResult, events: Events, database: Database, *, as_json: bool) -> None:
    """Say what there is now and where, and how to go on with what has not succeeded."""
    if not as_json:
        for output in result.outputs:
            if output.file is not None and not output.error:
                status = output.file.stat()
                print(f"  {output.file}  {size(status.st_size)}, {size(status.st_blocks * 512)} on this disk")
        print(f"build {result.id} {ended(result.outcome)} in {duration(result.seconds)}; log: {result.log}")
    if result.error is not None:
        print_error(result.error, hide=events.redact)
        if hint := way_on(database, result.id):
            say(("hint: ", "cyan"), hint, err=True)


def _say_notice(event: Event) -> None:
    if isinstance(event, Notice):
        say((f"{event.level}: ", "yellow"), event.message, err=True)
