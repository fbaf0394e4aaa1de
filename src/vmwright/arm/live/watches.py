"""Builds that are followed: looked at now and then, once for all who follow them, wherever they run."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.errors import VmwrightError
from vmwright.runs.listing import end_interrupted
from vmwright.runs.logs import logs_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from vmwright.arm.service import Service
    from vmwright.runs.logs import LogPlace, Logs

# Files are looked at that often, copies of other hosts' in the shared store only now and then: workers store
# one after each step.
POLL_SECONDS = 0.5
POLLS_BETWEEN_COPIES = 10
PIECE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Look:
    """What was there at one moment: the bytes of each log; where it ``is_over``, no more will come."""

    is_over: bool
    sizes: Mapping[str, int]


class Watch:
    """One build, as its followers see it."""

    def __init__(self) -> None:
        self._look: Look | None = None
        self._news = asyncio.Condition()
        self._files: dict[str, Path] = {}
        self._copies: dict[str, bytes] = {}

    async def news(self, before: Look | None, *, seconds: float) -> Look | None:
        """Wait until there is something that ``before`` had not; None where there is nothing for so long."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self._look is not None and self._look != before)
                return self._look
        except TimeoutError:
            return None

    async def read(self, name: str, *, after: int, until: int) -> bytes:
        """Return a piece of a log behind some bytes of it; b"" where there is nothing.

        :param until: how many bytes of the log are wanted at most, from its beginning.
        """
        most = max(0, min(PIECE_BYTES, until - after))
        if file := self._files.get(name):
            return await asyncio.to_thread(_piece, file, after, most)
        return self._copies.get(name, b"")[after : after + most]

    async def seen(self, logs: Logs, copies: Mapping[str, bytes]) -> None:
        """Let the followers know of what there is now.

        :param copies: those of the shared store that have been read just now.
        """
        self._files = {place.name: place.path for place in logs.places if place.path}
        self._copies = {**self._copies, **copies}
        sizes = {name: len(copy) for name, copy in self._copies.items()}
        sizes |= await asyncio.to_thread(_sizes, self._files)
        look = Look(logs.is_over, sizes)
        async with self._news:
            if look != self._look:
                self._look = look
                self._news.notify_all()


class Watches:
    """The builds of a service that somebody follows just now."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watches: dict[str, Watch] = {}
        self._followers: Counter[str] = Counter()
        self._new = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    @property
    def followers(self) -> int:
        """How many follow a build now."""
        return self._followers.total()

    @contextlib.asynccontextmanager
    async def of(self, build_id: str) -> AsyncIterator[Watch]:
        """Give the watch of a build, which is looked at as long as somebody has it."""
        watch = self._watches.setdefault(build_id, Watch())
        self._followers[build_id] += 1
        self._new.set()
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            yield watch
        finally:
            self._followers[build_id] -= 1
            if not self._followers[build_id]:
                del self._followers[build_id], self._watches[build_id]
            if not self._watches and self._polling is not None:
                self._polling.cancel()
                self._polling = None

    async def _poll(self) -> None:
        polls = 0
        while True:
            is_first = self._new.is_set()
            self._new.clear()
            await self._look(with_copies=is_first or polls % POLLS_BETWEEN_COPIES == 0)
            polls += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._new.wait()

    async def _look(self, *, with_copies: bool) -> None:
        """Look at all builds; what is away now, the database or the store, may be there the next time."""
        found: dict[str, Logs] = {}
        with contextlib.suppress(VmwrightError):
            found = await asyncio.to_thread(self._logs, tuple(self._watches))
        for build_id, logs in found.items():
            if watch := self._watches.get(build_id):
                with contextlib.suppress(VmwrightError):
                    copies = await self._read_copies(logs.places) if with_copies or logs.is_over else {}
                    await watch.seen(logs, copies)

    def _logs(self, build_ids: tuple[str, ...]) -> dict[str, Logs]:
        end_interrupted(self._service.database)
        return logs_of(self._service.database, build_ids)

    async def _read_copies(self, places: tuple[LogPlace, ...]) -> dict[str, bytes]:
        copies = {}
        for place in places:
            if place.path is None and place.key is not None:
                data = await self._service.images.artifacts.get_bytes(place.key)
                if data is not None:
                    copies[place.name] = data
        return copies


def _piece(file: Path, after: int, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(after)
            return opened.read(most)
    except OSError:  # removed, with its build
        return b""


def _sizes(files: Mapping[str, Path]) -> dict[str, int]:
    sizes = {}
    for name, file in files.items():
        with contextlib.suppress(OSError):
            sizes[name] = file.stat().st_size
    return sizes
