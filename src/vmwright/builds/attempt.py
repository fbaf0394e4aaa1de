"""Running one attempt at a build, from its claim to its result: its record, its log, its time, its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, TypeVar

from vmwright.builds import endings, messages
from vmwright.builds.beginning import Beginning
from vmwright.builds.build import BuildResult
from vmwright.builds.event_file import EventFile
from vmwright.builds.journal_keys import journal_keys
from vmwright.builds.log import CustomizationLog
from vmwright.builds.phases import phase
from vmwright.builds.pipeline import Results, run_pipeline
from vmwright.builds.whereabouts import Whereabouts
from vmwright.errors import (
    BuildCanceledError,
    HandedOverError,
    LostBuildError,
    VmwrightError,
)
from vmwright.events import BuildStarted, Phase
from vmwright.runs.going_on import kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from datetime import datetime
    from typing import Any

    from vmwright.builds.build import Build
    from vmwright.durable import Engine, Journal

SECONDS_PER_MINUTE = 60
# Launching the engine keeps Python busy, and what begins beside it waiting, until the machine boots. What
# takes longer than this does not wait for Python.
ENGINE_WAITS_SECONDS = 0.5
Kept = TypeVar("Kept")


class Attempt:
    """One attempt at a build by this process; made by ``opening.open_attempt``.

    :param deadline: when the time of the build, of all its attempts, is over.
    :param again_from: the durable step from which on the attempt does again what is done.
    """

    def __init__(self, build: Build, *, deadline: datetime, again_from: str | None) -> None:
        self.build = build
        self._deadline = deadline
        self._again_from = again_from
        self._results = Results()
        self._cleanup = contextlib.AsyncExitStack()
        self._whereabouts = Whereabouts()
        self._log = CustomizationLog(build.root, build.id)
        self._event_file = EventFile(build.root)
        build.events.subscribe(self._log)
        build.events.subscribe(self._event_file)
        build.events.subscribe(self._whereabouts)

    def cancel(self) -> None:
        """End the attempt as cancelled; asking again changes nothing."""
        message = f"The build was cancelled during {self._whereabouts.text}"
        self.build.interrupts.interrupt(BuildCanceledError(message))

    def hand_over(self) -> None:
        """End the attempt, so that another executor goes on with the build from its newest layer."""
        message = f"Build {self.build.id} is handed over during {self._whereabouts.text}"
        self.build.interrupts.interrupt(HandedOverError(message))

    def time_out(self) -> None:
        """End the attempt because the time of the build is over."""
        minutes = self.build.template.timeout_seconds / SECONDS_PER_MINUTE
        self.build.interrupts.interrupt(messages.timed_out(minutes, self._whereabouts.text))

    def lose(self, why: str) -> None:
        """End the attempt without a word to the database: others may have the build."""
        self.build.interrupts.interrupt(LostBuildError(f"Build {self.build.id} is lost: {why}"))

    async def run(self, engine: Callable[[], Awaitable[Engine]]) -> BuildResult:
        """Run the attempt to its end; whatever happens is in the result, the record and the log.

        :param engine: launches the engine, where that has not been done.

        A cancel of the running task is a cancel of the build.
        """
        build, request = self.build, self.build.request
        begun = time.monotonic()
        error: VmwrightError | None = messages.defect()
        try:
            build.events.say(
                BuildStarted(
                    build=build.id,
                    template=request.name,
                    steps=request.step_count,
                    correlation_id=build.claim.correlation_id,
                )
            )
            if note := kept(build.database, build.claim, steps=len(build.template.customize)):
                build.events.note(note)
            await self._to_its_end(self._work(engine))
            error = self._results.verdict.error or messages.distribution_failed(self._results.outputs)
        except VmwrightError as reason:
            error = self._cause_of(reason)
        except OSError as reason:
            error = self._cause_of(messages.host_failure(reason))
        finally:
            ending = endings.Ending(build, self._results.outputs, error, log=self._log.failed_in)
            recorded = await self._to_its_end(self._finish(ending, begun))
        return BuildResult(
            id=build.id,
            outcome=ending.outcome,
            log=self._log.failed_in,
            seconds=time.monotonic() - begun,
            outputs=self._results.outputs,
            error=recorded,
        )

    def _cause_of(self, failure: VmwrightError) -> VmwrightError:
        cause = self.build.interrupts.cause_of(failure)
        if cause is self.build.interrupts.reason and cause is not failure:
            self.build.events.warn(failure.message)
        return cause

    async def _work(self, engine: Callable[[], Awaitable[Engine]]) -> None:
        """Run the pipeline within buildTimeoutInMinutes, which bounds the whole build (reference §6.3)."""
        build = self.build
        beginning = Beginning(build)
        self._cleanup.push_async_callback(beginning.close)
        failures: list[VmwrightError | OSError] = []

        async def body(journal: Journal) -> None:
            async def step(name: str, kind: type[Kept], work: Callable[[], Awaitable[Kept]], /) -> Kept:
                return await journal.step(name, kind, lambda: build.interrupts.run(work()))

            try:
                self._results = await run_pipeline(build, step, self._cleanup, beginning)
            except (VmwrightError, OSError) as error:
                failures.append(error)  # its words may have secrets in them, which the journal must not

        with self._time_limit():
            if build.claim.previous_attempt is None:
                beginning.begin()
                await build.interrupts.run(beginning.machine_starts(within=ENGINE_WAITS_SECONDS))
            started = await build.interrupts.run(engine())
            key, *before = journal_keys(build.id, build.claim.attempt)
            await started.run(key, body, after=before, again_from=self._again_from)
        if failures:
            raise failures[0]

    @contextlib.contextmanager
    def _time_limit(self) -> Iterator[None]:
        with self.build.database.session() as session:
            left = (self._deadline - self.build.database.now(session)).total_seconds()
        timer = asyncio.get_running_loop().call_later(max(left, 0), self.time_out)
        try:
            yield
        finally:
            timer.cancel()

    async def _finish(self, ending: endings.Ending, begun: float) -> VmwrightError | None:
        """Remove what the attempt has on this host, whatever comes of that, and record how it ended."""
        events = self.build.events
        with phase(events, Phase.FINISH):
            ending.announce()
            try:
                await self._cleanup.aclose()
            except (VmwrightError, OSError) as reason:
                events.warn(f"Not all could be removed, the next command tries again: {reason}")
        recorded = await ending.record(seconds=time.monotonic() - begun)
        # not before: whoever takes a build over that has not ended goes on from what is removed now
        if recorded is ending.error:
            await ending.tidy()
            await ending.bound_cache()
        self._log.close()
        self._event_file.close()
        return recorded

    async def _to_its_end(self, work: Coroutine[Any, Any, Kept]) -> Kept:
        """Wait for work that a cancel of this task does not cut short, but interrupts in good order."""
        task = asyncio.ensure_future(work)
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise
                _take_back_cancel()
                self.cancel()
            except (VmwrightError, OSError):
                break
        return task.result()


def _take_back_cancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
