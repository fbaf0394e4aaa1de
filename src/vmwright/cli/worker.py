"""``vmwright worker``: takes builds from the queue and runs them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.cli.running import SIGNALS, fail, opened
from vmwright.cli.screen import say
from vmwright.errors import VmwrightError
from vmwright.events import Event, Events, Level, Notice
from vmwright.workers.worker import Worker

if TYPE_CHECKING:
    from vmwright.settings import Settings
    from vmwright.state.database import Database


def work(*, once: bool) -> None:
    """Work until SIGTERM or Ctrl-C; a second one hands over the builds that still run."""
    with opened() as (settings, database):
        try:
            asyncio.run(_work(settings, database, once=once))
        except VmwrightError as error:
            fail(error)


async def _work(settings: Settings, database: Database, *, once: bool) -> None:
    worker = Worker(settings, database, Events(_print))
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    await worker.work(once=once)


def _print(event: Event) -> None:
    if isinstance(event, Notice):
        mark = "warning: " if event.level is Level.WARNING else ""
        say(f"{event.at.astimezone():%Y-%m-%d %H:%M:%S} {mark}{event.message}")
