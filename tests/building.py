"""Builds in the process of a test: with the runner and the engine of the commands, and closed after each."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from vmwright.builds.attempt import Attempt
from vmwright.builds.build import Build, BuildResult
from vmwright.builds.interrupts import Interrupts
from vmwright.builds.opening import open_attempt
from vmwright.durable import Engine
from vmwright.events import Events
from vmwright.images import open_images
from vmwright.machines.machine import MachineKind
from vmwright.machines.sizes import host_capacity
from vmwright.runs.executors import Executor, ExecutorKind, Offer
from vmwright.runs.queue import claim
from vmwright.runs.records import BuildRecords
from vmwright.runs.request import BuildRequest
from vmwright.runs.submission import begin
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.engines import journal_url
from vmwright.state.resources import Ledger
from vmwright.workers.runner import Runner


@contextlib.asynccontextmanager
async def runner(
    settings: Settings, database: Database, *, kind: ExecutorKind = ExecutorKind.BUILD
) -> AsyncIterator[Runner]:
    """Give a runner; a process has room for one at a time."""
    offer = Offer.of_this_host(frozenset(MachineKind), host_capacity(), kvm=False)
    async with Runner.opened(settings, database, Events(), kind=kind, offer=offer) as opened:
        yield opened


async def run_build(
    request: BuildRequest, *, settings: Settings, database: Database, events: Events
) -> BuildResult:
    """Build as ``vmwright build`` does, but for the end of the process."""
    async with runner(settings, database) as opened:
        return await opened.run(begin(request, database, opened.executor), events)


@contextlib.asynccontextmanager
async def opened_attempt(
    build_id: str, *, settings: Settings, database: Database, events: Events, was_stopped: bool = False
) -> AsyncIterator[tuple[Attempt, Engine]]:
    """Take a build and give this attempt at it, not yet run, with the engine to run it by.

    :param was_stopped: what the keeper says of this process.
    """
    offer = Offer.of_this_host(frozenset(MachineKind), host_capacity(), kvm=False)
    executor = Executor.register(database, ExecutorKind.BUILD, offer)
    taken = claim(database, build_id, executor)
    assert taken is not None
    engine = await Engine.launch(journal_url(settings), executor=executor.id)
    try:
        attempt = await open_attempt(
            taken,
            settings=settings,
            database=database,
            events=events,
            observer=None,
            was_stopped=lambda: was_stopped,
            machines=offer.machines,
        )
        yield attempt, engine
    finally:
        await engine.close()
        executor.end()


async def by(engine: Engine) -> Engine:
    """Return an engine that is launched already, as an attempt waits for one."""
    return engine


def open_build(request: BuildRequest, *, settings: Settings, database: Database, events: Events) -> Build:
    """Return a build that an executor of this process has taken, for tests of its parts."""
    offer = Offer.of_this_host(frozenset(MachineKind), host_capacity(), kvm=False)
    executor = Executor.register(database, ExecutorKind.BUILD, offer)
    taken = begin(request, database, executor)
    root = settings.home / "builds" / taken.build_id
    folder = root / str(taken.attempt)
    folder.mkdir(parents=True)
    return Build(
        claim=taken,
        request=request,
        settings=settings,
        database=database,
        images=open_images(settings, database),
        ledger=Ledger(database, taken.build_id),
        records=BuildRecords(database, taken),
        events=events,
        interrupts=Interrupts(lambda: False),
        root=root,
        folder=folder,
        started_at=datetime.now(UTC),
    )
