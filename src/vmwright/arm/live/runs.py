"""The ways to builds as they run: listed, shown, followed. None of them is a path of ARM's."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from vmwright.arm.access.actions import Wanted
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route
from vmwright.arm.live import streams
from vmwright.arm.paging import page
from vmwright.builds import event_file, log
from vmwright.runs.listing import RunRecord, run_of, some_runs
from vmwright.runs.logs import logs_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from vmwright.arm.access.decisions import Decisions, Grants
    from vmwright.arm.http.call import Call
    from vmwright.arm.live.watches import Watches
    from vmwright.arm.service import Service
    from vmwright.runs.logs import LogPlace

RUNS = "/vmwright/runs"
READ = "Microsoft.VirtualMachineImages/imageTemplates/read"
LOGS = (log.FILE_NAME, log.VALIDATION)
BYTES = re.compile(r"[0-9]{1,18}")
MOST_FOLLOWERS = 512
TEXT = "text/plain; charset=utf-8"
EVENTS = "text/event-stream; charset=utf-8"
# Proxies that keep an answer until it is whole are told not to.
UNBUFFERED = {"X-Accel-Buffering": "no"}


def routes(service: Service, decisions: Decisions, watches: Watches) -> Iterator[Route]:
    """Give the ways to builds.

    Whoever has a token may ask. Builds of a template are for those who may read that; others, which
    ``vmwright build`` has begun, for those who may read all templates of the subscription.
    """
    live = _Live(service, decisions, watches)
    for pattern, handler in (
        (RUNS, live.all),
        (f"{RUNS}/{{run}}", live.one),
        (f"{RUNS}/{{run}}/log", live.log),
        (f"{RUNS}/{{run}}/events", live.events),
    ):
        yield Route(method="GET", pattern=pattern, handler=handler, action="")


class _Live:
    def __init__(self, service: Service, decisions: Decisions, watches: Watches) -> None:
        self._service = service
        self._decisions = decisions
        self._watches = watches

    async def all(self, call: Call) -> Answer:
        """Answer with the builds that the caller may see, the newest first."""
        grants = await self._decisions.grants()
        return await asyncio.to_thread(page, call, self._finder(call, grants), RunRecord.as_document)

    async def one(self, call: Call) -> Answer:
        """Answer with a build."""
        return ok((await self._run(call)).as_document())

    async def log(self, call: Call) -> Answer:
        """Answer with a log so far, or as it comes (``follow``)."""
        name = call.query.get("name", log.FILE_NAME)
        if name not in LOGS:
            raise _invalid(f"A build has the logs {' and '.join(LOGS)}, none named '{name}'.")
        follow = _flag(call, "follow")
        after = _bytes(call.query.get("after", "0"), "after")
        run = await self._run(call)
        await self._check_readable(run, name, follow=follow)
        body = streams.log(self._watches, run.id, name, after=after, follow=follow)
        return self._stream(call, body, TEXT)

    async def events(self, call: Call) -> Answer:
        """Answer with the events of a build, those before and those to come."""
        given = call.headers.get("last-event-id", "")
        after = _bytes(given or "0", "Last-Event-ID")
        run = await self._run(call)
        if given and run.ended_at and await self._is_all(run, after):
            # where it has seen everything, a client would come again for ever
            return Answer(status=204)
        await self._check_readable(run, event_file.FILE_NAME, follow=True)
        body = streams.events(self._watches, run.id, event_file.FILE_NAME, after=after)
        return self._stream(call, body, EVENTS)

    def _stream(self, call: Call, body: AsyncIterator[bytes], kind: str) -> Answer:
        headers = {"Content-Type": kind, **UNBUFFERED}
        if call.method == "HEAD":
            return Answer(headers=headers)
        if self._watches.followers >= MOST_FOLLOWERS:
            raise ArmError(
                503,
                "TooManyFollowers",
                "Too many follow builds at this service.",
                headers={"Retry-After": "5"},
            )
        return Answer(body=body, headers=headers)

    async def _run(self, call: Call) -> RunRecord:
        """Return the build of a call.

        :raises ArmError: there is none, or the caller may not read it.
        """
        wanted = call.names["run"].lower()
        run = await asyncio.to_thread(run_of, self._service.database, wanted)
        if run is None:
            raise ArmError(404, "ResourceNotFound", f"There is no build '{call.names['run']}'.")
        await self._decisions.require(call.principal, self._to_read(run))
        return run

    def _to_read(self, run: RunRecord) -> Wanted:
        return Wanted(READ, (run.template_id or f"/subscriptions/{self._service.subscription}").lower())

    def _finder(self, call: Call, grants: Grants) -> Callable[[str, int], list[RunRecord]]:
        """Return what finds builds that a caller may read: those after one of an id, so many."""
        database, like = self._service.database, call.query.get("run", "")

        def find(after: str, most: int) -> list[RunRecord]:
            readable: list[RunRecord] = []
            while len(readable) < most:
                found = some_runs(database, most=most, after=after, like=like)
                readable += [run for run in found if grants.admits(call.principal, self._to_read(run))]
                if len(found) < most:
                    break
                after = found[-1].id
            return readable[:most]

        return find

    async def _is_all(self, run: RunRecord, after: int) -> bool:
        async with self._watches.of(run.id) as watch:
            look = await watch.news(None, seconds=streams.FIRST_SECONDS)
        return look is not None and look.is_over and after >= look.sizes.get(event_file.FILE_NAME, 0)

    async def _check_readable(self, run: RunRecord, name: str, *, follow: bool) -> None:
        """Check that there is a log, or that it may come.

        :raises ArmError: there is none, or it is where this service cannot read it.
        """
        place = await asyncio.to_thread(self._place, run, name)
        if place is None and (run.ended_at or not follow):
            when = "" if run.ended_at else " yet"
            raise _no_log(f"The build {run.id} has no {name}{when}.")
        if place is None or place.path or place.key:
            return
        if not (follow and self._service.images.artifacts.shared):
            host = run.host or "that ran it"
            raise _no_log(
                f"The {name} of build {run.id} is on the host {host}, and no copy of it is in a store that "
                "hosts share."
            )

    def _place(self, run: RunRecord, name: str) -> LogPlace | None:
        """Return where a log is; None where there is none, or none any more."""
        logs = logs_of(self._service.database, [run.id]).get(run.id)
        place = next((place for place in logs.places if place.name == name), None) if logs else None
        is_gone = place and place.path and run.ended_at and not place.path.exists()
        return None if is_gone else place


def _flag(call: Call, name: str) -> bool:
    match call.query.get(name, "false").lower():
        case "true" | "":
            return True
        case "false":
            return False
        case other:
            raise _invalid(f"{name} is true or false, not '{other}'.")


def _bytes(text: str, name: str) -> int:
    if not BYTES.fullmatch(text):
        raise _invalid(f"{name} is a number of bytes, not '{text}'.")
    return int(text)


def _invalid(message: str) -> ArmError:
    return ArmError(400, "InvalidParameter", message)


def _no_log(message: str) -> ArmError:
    return ArmError(404, "LogNotFound", message)
