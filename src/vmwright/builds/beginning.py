"""What comes before the first step: source, scripts and files, what the cache has, the machine.

In a first attempt it begins before the journal is there; a later one waits for that, which knows what is
done.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vmwright.builds import inputs
from vmwright.builds.customizing import open_workshop
from vmwright.builds.layers import Layers
from vmwright.builds.once import Once
from vmwright.builds.outputs import draft_of
from vmwright.builds.step_cache import StepCache
from vmwright.builds.workshop import Workshop

if TYPE_CHECKING:
    from vmwright.builds.build import Build
    from vmwright.builds.inputs import ReadySteps
    from vmwright.distributors.draft import Draft
    from vmwright.sources.base_disk import BaseDisk


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the steps of an attempt work with; ``layers`` has what the cache had of them.

    :param draft: of a file that is to be made of the disk in the end.
    """

    base: BaseDisk
    steps: ReadySteps
    cache: StepCache
    layers: Layers
    workshop: Workshop
    draft: Draft | None


class Beginning:
    """The beginning of one attempt; ``close`` removes all that came of it from this host."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._cleanup = contextlib.AsyncExitStack()
        self._source = Once(partial(inputs.find_source, build), build.interrupts)
        self._fetched = Once(partial(inputs.fetch_steps, build), build.interrupts)
        self._prepared = Once(self._prepare_found, build.interrupts)
        self._machine = Once(self._open_workshop, build.interrupts)
        self._machine_starts = asyncio.Event()

    def begin(self) -> None:
        """Begin with all of it, one beside the other as far as that goes; for a first attempt."""
        for work in (self._source, self._fetched, self._prepared, self._machine):
            work.begin()

    async def source(self) -> BaseDisk:
        """Return what ``inputs.find_source`` does; where fetching fails before that, so does this."""
        return await self._source.unless(self._fetched)

    async def fetched(self) -> None:
        """See ``inputs.fetch_steps``."""
        await self._fetched()

    async def prepared(self, found: BaseDisk) -> Prepared:
        """Return what the steps work with.

        :param found: the source, as this attempt or an earlier one has found it.
        """
        if not self._prepared.has_begun:
            self._prepared = Once(partial(self._prepare, found), self._build.interrupts)
        return await self._prepared()

    async def machine_starts(self, *, within: float) -> None:
        """Wait until the machine is started, or nothing comes of that, at most ``within`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._machine_starts.wait()

    async def machine(self) -> None:
        """Wait until the machine runs."""
        await self._machine()

    async def close(self) -> None:
        """End what is under way, and remove what was made, in reverse order."""
        async with contextlib.AsyncExitStack() as ended:
            ended.push_async_callback(self._source.drop)
            ended.push_async_callback(self._fetched.drop)
            ended.push_async_callback(self._cleanup.aclose)
            ended.push_async_callback(self._prepared.drop)
            ended.push_async_callback(self._machine.drop)

    async def _prepare_found(self) -> Prepared:
        found = await self.source()
        await self.fetched()
        return await self._prepare(found)

    async def _prepare(self, found: BaseDisk) -> Prepared:
        build = self._build
        base = await inputs.open_source(build, found)
        steps = await inputs.open_steps(build)
        cache = StepCache(build)
        self._cleanup.push_async_callback(cache.close)
        layers = Layers(build, base, cache)
        self._cleanup.push_async_callback(layers.drop_top)
        await layers.restore()
        if not build.is_source_validated_only:
            await cache.take(base, steps, layers)
        workshop = Workshop(build, base, layers, starts=self._machine_starts)
        self._cleanup.push_async_callback(workshop.close)
        if draft := draft_of(build):
            self._cleanup.push_async_callback(draft.drop)
        return Prepared(base=base, steps=steps, cache=cache, layers=layers, workshop=workshop, draft=draft)

    async def _open_workshop(self) -> None:
        """Start the machine, unless there is nothing to be done in it, and what can be done beside it."""
        try:
            prepared = await self._prepared()
            layers = prepared.layers
            if self._build.is_source_validated_only or layers.is_generalized:
                return
            await open_workshop(self._build, prepared.workshop)
        finally:
            self._machine_starts.set()
        if prepared.draft:
            prepared.draft.begin(*layers.disk, layers.size_bytes)
