"""Running one build from request to result: its record, its log, its time, its end."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from vmwright.builds import messages
from vmwright.builds.build import Build, BuildRequest, BuildResult
from vmwright.builds.log import CustomizationLog
from vmwright.builds.pipeline import Results, phase, run_pipeline
from vmwright.builds.records import BuildRecords
from vmwright.builds.secrets import secrets_of
from vmwright.builds.whereabouts import Whereabouts
from vmwright.errors import BuildCanceledError, BuildError, DistributeError, VmwrightError
from vmwright.events import BuildEnded, BuildStarted, Outcome, Phase
from vmwright.state.resources import Ledger

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from vmwright.distributors.distributor import RunOutput
    from vmwright.events import Events
    from vmwright.settings import Settings
    from vmwright.state.database import Database

SECONDS_PER_MINUTE = 60


async def run_build(
    request: BuildRequest, *, settings: Settings, database: Database, events: Events
) -> BuildResult:
    """Build a template and return how it ended; whatever happens is in the result, the record and the log.

    A cancel of the running task ends the build as canceled, with everything on the host removed.
    """
    build = _begin(request, settings=settings, database=database, events=events)
    log = CustomizationLog(build.folder, build.id)
    whereabouts = Whereabouts()
    events.subscribe(log)
    events.subscribe(whereabouts)
    begun = time.monotonic()
    outputs: tuple[RunOutput, ...] = ()
    error: VmwrightError | None = BuildError(
        "Internal error occurred.", hint="this is a defect of vmwright: please report it"
    )
    try:
        events.say(BuildStarted(build=build.id, template=request.name, steps=build.step_count))
        results = await _run_in_time(build, whereabouts)
        outputs, error = results.outputs, results.invalid
        if any(output.error for output in outputs):
            error = error or messages.distribution_failed(outputs)
    except VmwrightError as reason:
        error = reason
    except OSError as reason:
        error = BuildError(f"{reason.strerror or reason}: {reason.filename or 'this host'}")
    except asyncio.CancelledError:
        _take_back_cancel()
        error = BuildCanceledError(f"The build was cancelled during {whereabouts.text}")
    finally:
        result = _end(build, outputs, error, log=log, seconds=time.monotonic() - begun)
        log.close()
    return result


def _begin(request: BuildRequest, *, settings: Settings, database: Database, events: Events) -> Build:
    build_id = str(uuid.uuid4())
    folder = settings.home / "builds" / build_id
    records = BuildRecords(database, build_id)
    records.begin(name=request.name, template=dict(request.template.document), folder=folder)
    folder.mkdir(parents=True, mode=0o700)
    for secret in secrets_of(request.template):
        events.keep_secret(secret)
    return Build(
        id=build_id,
        request=request,
        settings=settings,
        database=database,
        ledger=Ledger(database, build_id),
        records=records,
        events=events,
        folder=folder,
    )


async def _run_in_time(build: Build, whereabouts: Whereabouts) -> Results:
    """Run the pipeline within buildTimeoutInMinutes, which bounds the whole build (reference §6.3)."""
    seconds = build.template.timeout_seconds
    cleanup = AsyncExitStack()
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await run_pipeline(build, cleanup)
    except TimeoutError:
        if not limit.expired():
            raise
        raise messages.timed_out(seconds / SECONDS_PER_MINUTE, whereabouts.text) from None
    finally:
        await _to_its_end(_clear_up(build, cleanup))


async def _clear_up(build: Build, cleanup: AsyncExitStack) -> None:
    """Remove what the build has on this host; what cannot be removed changes nothing about its result."""
    with phase(build, Phase.FINISH):
        try:
            await cleanup.aclose()
        except (VmwrightError, OSError) as error:
            build.events.warn(f"Not all could be removed, the next command tries again: {error}")


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for work that no cancel may cut short: one that comes meanwhile finds nothing left to cancel."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            _take_back_cancel()


def _take_back_cancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _end(
    build: Build,
    outputs: tuple[RunOutput, ...],
    error: VmwrightError | None,
    *,
    log: CustomizationLog,
    seconds: float,
) -> BuildResult:
    outcome = _outcome(outputs, error)
    message = messages.last_run_message(error, build_id=build.id, log=log.failed_in) if error else ""
    message = build.events.redact(message)
    build.records.end(messages.run_state(outcome), message)
    build.events.say(
        BuildEnded(
            build=build.id,
            outcome=outcome,
            seconds=seconds,
            code=error.code if error else "",
            message=error.message if error else "",
            hint=(error.hint or "") if error else "",
        )
    )
    return BuildResult(
        id=build.id, outcome=outcome, log=log.failed_in, seconds=seconds, outputs=outputs, error=error
    )


def _outcome(outputs: tuple[RunOutput, ...], error: VmwrightError | None) -> Outcome:
    if error is None:
        return Outcome.SUCCEEDED
    if isinstance(error, BuildCanceledError):
        return Outcome.CANCELED
    if isinstance(error, DistributeError) and any(not output.error for output in outputs):
        return Outcome.PARTIALLY_SUCCEEDED
    return Outcome.FAILED
