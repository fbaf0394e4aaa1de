"""This process as something that runs builds: an executor with its lease, its keeper and its engine."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from typing import TYPE_CHECKING, Self

from vmwright.builds import messages
from vmwright.builds.endings import end_unopened
from vmwright.builds.journal_keys import build_of, journal_keys
from vmwright.builds.opening import open_attempt
from vmwright.errors import VmwrightError
from vmwright.runs.executors import Executor, ExecutorKind, living
from vmwright.runs.listing import unfinished
from vmwright.runs.queue import claim_next, held_by, release
from vmwright.state.engines import journal_url
from vmwright.workers.clock import seconds
from vmwright.workers.heartbeat import beating
from vmwright.workers.keeping import Keeper
from vmwright.workers.reaper import kill_left

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.builds.attempt import Attempt
    from vmwright.builds.build import BuildResult
    from vmwright.durable import Engine
    from vmwright.events import Events
    from vmwright.machines.sizes import Capacity
    from vmwright.runs.executors import Offer
    from vmwright.runs.queue import Claim
    from vmwright.settings import Settings
    from vmwright.state.database import Database

LOG = "keeper.log"
# Others, also on other hosts, ask for a cancel in the database: of that there is no event.
POLL_SECONDS = 1.0
# A worker's machines end before its lease does, after which another one may go on with their builds.
MARGIN_SECONDS = 3.0


class Runner:
    """Runs builds that its executor has claimed; a context manager makes it."""

    def __init__(
        self, settings: Settings, database: Database, executor: Executor, keeper: Keeper, events: Events
    ) -> None:
        self.executor = executor
        self._settings = settings
        self._database = database
        self._keeper = keeper
        self._events = events
        self._attempts: dict[str, Attempt] = {}
        self._held: set[str] = set()
        self._taking = asyncio.Lock()
        self._loss: str | None = None
        self._is_handing_over = False
        self._launched: asyncio.Task[Engine] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, settings: Settings, database: Database, events: Events, *, kind: ExecutorKind, offer: Offer
    ) -> AsyncIterator[Self]:
        """Register this process and be ready to run builds; the engine starts when it is asked for.

        :param events: is told of what concerns no single build.
        :raises VmwrightError: the database cannot be written, or the keeper cannot be started.
        """
        async with contextlib.AsyncExitStack() as stack:
            keeper = await stack.enter_async_context(Keeper.started(events, log=settings.home / LOG))
            begun = seconds()
            executor = Executor.register(database, kind, offer)
            runner = cls(settings, database, executor, keeper, events)
            stack.callback(runner._end_executor)
            stack.push_async_callback(runner._stop_engine)
            runner._renewed(begun + executor.lease.ttl - seconds())
            await stack.enter_async_context(beating(executor, renewed=runner._renewed, lost=runner._lost))
            watching = asyncio.create_task(runner._watch_builds())
            stack.callback(watching.cancel)
            yield runner

    @property
    def is_lost(self) -> bool:
        """Whether the executor has lost its lease: it takes no more builds, another one must be opened."""
        return self._loss is not None

    def drain(self) -> None:
        """Let others know that this one takes no more builds."""
        with contextlib.suppress(VmwrightError):
            self.executor.drain()

    async def ready(self) -> None:
        """Wait until builds can be run.

        :raises VmwrightError: the engine cannot be started: another runner has to be opened.
        """
        await self.engine()

    async def engine(self) -> Engine:
        """Return the engine, which is launched once.

        :raises VmwrightError: it cannot be: another runner has to be opened.
        """
        if self._launched is None:
            self._launched = asyncio.create_task(_launch(self._settings, self.executor.id))
        return await asyncio.shield(self._launched)

    async def take(self, free: Capacity) -> Claim | None:
        """Claim the build whose turn it is; it must be run then.

        :raises VmwrightError: as ``queue.claim_next``.
        """
        async with self._taking:
            claim = await asyncio.to_thread(claim_next, self._database, self.executor, free)
            if claim is not None:
                self._held.add(claim.build_id)
            return claim

    async def run(self, claim: Claim, events: Events) -> BuildResult:
        """Run a build that the executor has claimed, to its end.

        :raises VmwrightError: it cannot be begun here; what is recorded of it says so.
        """
        self._held.add(claim.build_id)
        try:
            if claim.previous_attempt is not None:
                # of the one before nothing may run any more on this host, also where its keeper died with it
                await asyncio.to_thread(kill_left, self._database)
            attempt = await self._open(claim, events)
            return await self._run(attempt)
        finally:
            self._held.discard(claim.build_id)

    async def _open(self, claim: Claim, events: Events) -> Attempt:
        stops = self._keeper.stops

        def was_stopped() -> bool:
            return self.executor.kind is ExecutorKind.WORKER and self._keeper.stops > stops

        error: VmwrightError
        try:
            return await open_attempt(
                claim,
                settings=self._settings,
                database=self._database,
                events=events,
                observer=self._keeper,
                was_stopped=was_stopped,
                machines=self.executor.offer.machines,
            )
        except VmwrightError as reason:
            error = reason
        except OSError as reason:
            error = messages.host_failure(reason)
        await end_unopened(self._database, claim, error)
        raise error

    async def _run(self, attempt: Attempt) -> BuildResult:
        build = attempt.build
        self._attempts[build.id] = attempt
        if self._loss is not None:
            attempt.lose(self._loss)
        if self._is_handing_over:
            attempt.hand_over()
        try:
            result = await attempt.run(self.engine)
        finally:
            del self._attempts[build.id]
        if result.error is None:
            with contextlib.suppress(VmwrightError):  # what is left there is swept
                await (await self.engine()).forget(journal_keys(build.id, build.claim.attempt))
        return result

    async def sweep_journal(self) -> None:
        """Remove from the journal what no build goes on from any more, and what dead executors have left."""
        engine = await self.engine()
        keys = await engine.keys()
        kept = await asyncio.to_thread(unfinished, self._database)
        await engine.forget([key for key in keys if build_of(key) not in kept])
        executors = await engine.executors()
        alive = {row.id for row in await asyncio.to_thread(living, self._database)}
        for executor in executors:
            if executor not in alive:
                await engine.forget_executor(executor)

    def hand_over(self) -> None:
        """Have every build go on elsewhere, also those that are about to begin."""
        self._is_handing_over = True
        for attempt in self._attempts.values():
            attempt.hand_over()

    def _renewed(self, lasts: float) -> None:
        # a command that its user has stopped keeps its machine where nobody else can have its build
        if self.executor.kind is ExecutorKind.WORKER or self._database.is_shared:
            self._keeper.beat(max(0.0, lasts - MARGIN_SECONDS))

    def _lost(self, why: str) -> None:
        self._loss = why
        self._events.warn(why)
        for attempt in self._attempts.values():
            attempt.lose(why)

    async def _watch_builds(self) -> None:
        """See what others ask of this executor's builds, and that it runs each that it has."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(VmwrightError):  # the heartbeat tells of a database that is gone
                async with self._taking:
                    held = await asyncio.to_thread(held_by, self._database, self.executor.id)
                    for claim in held:
                        await self._look_at(claim)

    async def _look_at(self, claim: Claim) -> None:
        if claim.canceling and (attempt := self._attempts.get(claim.build_id)):
            attempt.cancel()
        # an answer of the database has been lost, or a last word could not be written: others go on with it
        if claim.build_id not in self._held and self.executor.kind is ExecutorKind.WORKER:
            await asyncio.to_thread(release, self._database, claim)
            self._events.warn(f"Build {claim.build_id} is nobody's work here, it is left to the queue")

    def _end_executor(self) -> None:
        try:
            self.executor.end()
        except VmwrightError as error:
            self._events.warn(f"Others see only by its lease that this process has ended: {error.message}")

    async def _stop_engine(self) -> None:
        if self._launched is not None:
            with contextlib.suppress(VmwrightError):  # it did not start, as each build has said
                await (await self._launched).close()


async def _launch(settings: Settings, executor_id: str) -> Engine:
    # takes half a second, in which a machine boots
    await asyncio.to_thread(importlib.import_module, "vmwright.durable")
    from vmwright.durable import Engine  # noqa: PLC0415 - nothing else of a command waits for it

    return await Engine.launch(journal_url(settings), executor=executor_id)
