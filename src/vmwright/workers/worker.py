"""The worker: takes builds from the queue, as many as fit this host, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from vmwright.errors import HandedOverError, LostBuildError, UnsupportedError, VmwrightError
from vmwright.events import Events
from vmwright.machines import container_needs
from vmwright.machines.host import kvm_verdict, reason_against_vm
from vmwright.machines.machine import MachineKind
from vmwright.machines.sizes import host_capacity
from vmwright.runs.capacity import left, offered
from vmwright.runs.executors import ExecutorKind, Offer
from vmwright.settings import OnStop
from vmwright.workers.garbage import collect, tell_of_others
from vmwright.workers.reaper import keep_reaping, reap
from vmwright.workers.runner import Runner

if TYPE_CHECKING:
    from vmwright.builds.build import BuildResult
    from vmwright.runs.queue import Claim
    from vmwright.settings import Settings
    from vmwright.state.database import Database

# The queue is a table that all hosts write: of a new row there is no event.
POLL_SECONDS = 1.0
REAP_SECONDS = 30.0
COLLECT_SECONDS = 3600.0


class Worker:
    """Works until ``stop``, and then finishes its builds or hands them over, as the configuration has it.

    :param events: is told of what the worker does; each build has its own log.
    """

    def __init__(self, settings: Settings, database: Database, events: Events) -> None:
        self._settings = settings
        self._database = database
        self._events = events
        self._stopping = asyncio.Event()
        self._runner: Runner | None = None
        self._running: dict[asyncio.Task[None], Claim] = {}

    def stop(self) -> None:
        """Take no more builds; asked again, hand over those that run."""
        again = self._stopping.is_set()
        self._stopping.set()
        if self._runner is None:
            return
        self._runner.drain()
        running = len(self._running)
        if again or self._settings.worker.on_stop is OnStop.HAND_OVER:
            if running:
                self._events.note(f"Handing over {running} builds")
            self._runner.hand_over()
        elif running:
            self._events.note(f"Finishing {running} of its builds; told to end again, it hands them over")

    async def work(self, *, once: bool = False) -> None:
        """Work until told to end.

        :param once: end also when nothing waits that this host can take.
        :raises VmwrightError: the database cannot be used, or this host can run no build.
        """
        offer = await offer_of(self._settings, self._events)
        await reap(self._database, self._events, settings=self._settings)
        async with contextlib.AsyncExitStack() as stack:
            reaping = keep_reaping(self._database, self._events, settings=self._settings, every=REAP_SECONDS)
            for chore in (reaping, self._collect_garbage()):
                stack.push_async_callback(_stopped, asyncio.create_task(chore))
            ended = await self._work_as_executor(offer, once=once)
            while not ended:
                ended = await self._work_again(offer, once=once)

    async def _work_again(self, offer: Offer, *, once: bool) -> bool:
        """Work under another registration; as long as the database is away, wait for it."""
        try:
            return await self._work_as_executor(offer, once=once)
        except VmwrightError as error:
            self._events.warn(f"Builds cannot be taken again yet: {error.message}")
            await self._wait()
            return self._stopping.is_set()

    async def _work_as_executor(self, offer: Offer, *, once: bool) -> bool:
        """Work under one registration; False: it was lost, another one is needed."""
        async with Runner.opened(
            self._settings, self._database, self._events, kind=ExecutorKind.WORKER, offer=offer
        ) as runner:
            await runner.ready()
            self._runner = runner
            self._events.note(f"Worker {runner.executor.id} takes builds: {describe(offer)}")
            while not self._stopping.is_set() and not runner.is_lost:
                taken = await self._take(runner)
                if taken is None and once and not self._running:
                    return True
                if taken is None:
                    await self._wait()
            if self._running:
                await asyncio.wait(self._running)
            self._runner = None
            return self._stopping.is_set()

    async def _take(self, runner: Runner) -> Claim | None:
        """Take the next build and start running it."""
        free = left(runner.executor.offer.total, (claim.granted for claim in self._running.values()))
        try:
            claim = await runner.take(free)
        except LostBuildError:
            return None
        except VmwrightError as error:
            self._events.warn(f"No build can be taken: {error.message}")
            return None
        if claim is not None:
            task = asyncio.create_task(self._run(runner, claim))
            self._running[task] = claim
            task.add_done_callback(self._running.pop)
        return claim

    async def _run(self, runner: Runner, claim: Claim) -> None:
        named = f" (correlation id {claim.correlation_id})" if claim.correlation_id else ""
        self._events.note(f"Build {claim.build_id} begins here, attempt {claim.attempt}{named}")
        try:
            result = await runner.run(claim, Events())
        except VmwrightError as error:
            self._events.warn(f"Build {claim.build_id} could not be begun: {error.message}{named}")
        else:
            self._events.note(f"{_told(result)}{named}")

    async def _collect_garbage(self) -> None:
        await tell_of_others(self._database, self._settings, self._events)
        while True:
            try:
                await collect(self._database, self._settings, self._events)
                if self._runner:
                    await self._runner.sweep_journal()
            except (VmwrightError, OSError) as error:
                self._events.warn(f"What nobody needs any more could not be removed: {error}")
            await asyncio.sleep(COLLECT_SECONDS)

    async def _wait(self) -> None:
        """Wait for the next look at the queue: a second, or the end of a build, or to be told to end."""
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait(
                {stopping, *self._running}, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopping.cancel()


async def offer_of(settings: Settings, events: Events) -> Offer:
    """Return what this host offers to builds from the queue.

    :raises UnsupportedError: it can run no machine that the configuration allows.
    """
    kvm = (await kvm_verdict(settings)).usable
    machines = set()
    reasons = []
    if reason := reason_against_vm():
        reasons.append(reason)
    else:
        machines.add(MachineKind.VM)
    if not settings.worker.containers:
        reasons.append("worker.containers is not set")
    elif reason := await container_needs.obstacle():
        reasons.append(reason)
        events.warn(f"worker.containers is set, but this host cannot run containers: {reason}")
    else:
        machines.add(MachineKind.CONTAINER)
    if not machines:
        raise UnsupportedError(
            f"This host can run no builds: {'; '.join(reasons)}",
            hint="vmwright doctor names what is missing and the command that adds it",
        )
    return Offer.of_this_host(frozenset(machines), offered(settings.worker, host_capacity()), kvm=kvm)


async def _stopped(chore: asyncio.Task[None]) -> None:
    chore.cancel()
    await asyncio.wait([chore])


def _told(result: BuildResult) -> str:
    if isinstance(result.error, HandedOverError | LostBuildError):
        return result.error.message
    how = f": {result.error.message}" if result.error else ""
    return f"Build {result.id} {result.outcome} after {result.seconds:.0f} s{how}"


def describe(offer: Offer) -> str:
    """Return an offer for people."""
    machines = " and ".join(sorted(offer.machines))
    how = "KVM" if offer.kvm else "no KVM"
    total = f"{offer.total.cpus} processors, {offer.total.memory_mib} MiB"
    return f"{machines} ({how}), {total}, {offer.architecture}"
