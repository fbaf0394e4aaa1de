"""The end of an attempt: what is kept, what the database and the log say of it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vmwright.builds import messages, sharing
from vmwright.builds.inputs import remove_inputs
from vmwright.builds.layers import remove_layers
from vmwright.caching.pruning import bound
from vmwright.errors import (
    BuildCanceledError,
    DistributeError,
    HandedOverError,
    LostBuildError,
    VmwrightError,
)
from vmwright.events import BuildEnded, Outcome
from vmwright.runs.queue import CANCELING, release
from vmwright.runs.records import BuildRecords
from vmwright.runs.states import RunState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmwright.builds.build import Build
    from vmwright.distributors.distributor import RunOutput
    from vmwright.runs.queue import Claim
    from vmwright.state.database import Database

# Longer than an executor's lease lasts (executors.Lease).
INSISTENCE_SECONDS = 30.0
# A cancel takes ten seconds at most, whatever becomes of the store.
CANCEL_SECONDS = 3.0
STORE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ends: ``error`` is None where the build has succeeded."""

    build: Build
    outputs: tuple[RunOutput, ...]
    error: VmwrightError | None
    log: Path

    @property
    def outcome(self) -> Outcome:
        """The build's outcome; what goes on elsewhere counts as cancelled here."""
        if self.error is None:
            return Outcome.SUCCEEDED
        if isinstance(self.error, BuildCanceledError | HandedOverError | LostBuildError):
            return Outcome.CANCELED
        if isinstance(self.error, DistributeError) and any(not output.error for output in self.outputs):
            return Outcome.PARTIALLY_SUCCEEDED
        return Outcome.FAILED

    def announce(self) -> None:
        """Record a cancel before its work begins (reference §6.4)."""
        if isinstance(self.error, BuildCanceledError):
            try:
                self.build.records.set(run_state=RunState.CANCELING, run_sub_state=None, message=CANCELING)
            except VmwrightError as error:
                self.build.events.warn(error.message)

    async def tidy(self) -> None:
        """Remove what a later attempt would go on from, where there will be none."""
        elsewhere = isinstance(self.error, HandedOverError | LostBuildError)
        kept = self.error is not None and self.build.settings.keep.days > 0
        if elsewhere or kept:
            return
        try:
            async with asyncio.timeout(self._patience):
                await remove_layers(self.build)
                await remove_inputs(self.build)
        except (VmwrightError, OSError) as error:  # TimeoutError is an OSError
            self.build.events.warn(f"Not all could be removed, the next command tries again: {error}")

    async def bound_cache(self) -> None:
        """Keep the cache within its size, where the build may have added to it."""
        build = self.build
        if not build.request.uses_cache:
            return
        try:
            await asyncio.to_thread(bound, build.database, build.settings)
        except (VmwrightError, OSError) as error:
            build.events.warn(f"The cache may be larger than [cache] max_size_gib: {error}")

    async def record(self, *, seconds: float) -> VmwrightError | None:
        """Tell the log and the database; return the build's error, or what kept that from them."""
        if isinstance(self.error, LostBuildError):
            self.build.events.warn(self.error.message)
            return self.error
        try:
            if isinstance(self.error, HandedOverError):
                self.build.events.note(self.error.message)
                await self._share_logs()
                await _insistently(partial(release, self.build.database, self.build.claim))
            else:
                await self._record_end(seconds)
        except VmwrightError as error:
            self.build.events.warn(f"The build's end could not be recorded: {error.message}")
            return error
        return self.error

    async def _record_end(self, seconds: float) -> None:
        build, error = self.build, self.error
        message = messages.last_run_message(error, build_id=build.id, log=self.log) if error else ""
        build.events.say(
            BuildEnded(
                build=build.id,
                outcome=self.outcome,
                seconds=seconds,
                code=error.code if error else "",
                message=error.message if error else "",
                hint=(error.hint or "") if error else "",
            )
        )
        await self._share_logs()
        state = messages.run_state(self.outcome)
        await _insistently(partial(build.records.end, state, build.events.redact(message)))

    @property
    def _patience(self) -> float:
        """For how many seconds a store that does not answer is waited for."""
        return CANCEL_SECONDS if self.outcome is Outcome.CANCELED else STORE_SECONDS

    async def _share_logs(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await sharing.share_logs(self.build)
        except LostBuildError:
            raise
        except VmwrightError as error:
            self.build.events.warn(f"The log stays on this host: {error.message}")
        except TimeoutError:
            self.build.events.warn("The log stays on this host: the shared store does not answer")


async def end_unopened(database: Database, claim: Claim, error: VmwrightError) -> None:
    """Record the end of a build that its executor cannot even begin to run."""
    state = RunState.CANCELED if claim.canceling else RunState.FAILED
    with contextlib.suppress(VmwrightError):  # others have it, or will, as this executor's lease is over
        await _insistently(partial(BuildRecords(database, claim).end, state, error.message))


async def _insistently(write: Callable[[], None]) -> None:
    """Write the last word on a build, which would be waited for in vain as long as its executor lives.

    :raises LostBuildError: others have the build.
    :raises VmwrightError: the database was away for so long that others will.
    """
    import stamina  # noqa: PLC0415 - not before a build ends

    # it would print each attempt to standard error
    stamina.instrumentation.set_on_retry_hooks(())
    async for attempt in stamina.retry_context(
        on=lambda error: isinstance(error, VmwrightError) and not isinstance(error, LostBuildError),
        attempts=None,
        timeout=INSISTENCE_SECONDS,
        wait_initial=0.2,
        wait_max=2.0,
    ):
        with attempt:
            write()
