"""What a build leaves: its run outputs, the files for its user, the record of both."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vmwright.disks.qemu_img import DiskFormat
from vmwright.distributors.distributor import Destinations, RunOutput
from vmwright.distributors.draft import Draft
from vmwright.distributors.export import FORMATS
from vmwright.distributors.kinds import distribute, export_as
from vmwright.distributors.stored import StoredImage
from vmwright.errors import DistributeError, LostBuildError
from vmwright.runs.states import RunSubState
from vmwright.template.model import Vhd

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack
    from pathlib import Path

    from vmwright.builds.build import Build
    from vmwright.distributors.finished_image import FinishedImage
    from vmwright.distributors.made_before import MadeBefore


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to be made of the finished image: a run output, or a further file (``is_file``).

    :param is_stored: whether it is made of the one artifact that images and versions share.
    """

    name: str
    make: Callable[[], Awaitable[RunOutput]]
    is_file: bool = False
    is_stored: bool = False


class Distribution:
    """The distributors of a template, then the formats that the user asked for besides: a step each.

    Files for the user are made one after the other, and beside them what is made of the stored image: both
    only read the finished disk. What failed carries its error and undoes nothing of the rest.
    """

    def __init__(
        self,
        build: Build,
        image: FinishedImage,
        cleanup: AsyncExitStack,
        *,
        made_before: MadeBefore | None,
        draft: Draft | None,
    ) -> None:
        self._build = build
        self._tasks: dict[str, asyncio.Task[RunOutput]] = {}
        self._stored = StoredImage(
            image,
            build.images.artifacts,
            part=build.folder / "image.qcow2",
            ledger=build.ledger,
            events=build.events,
            made_before=made_before,
        )
        cleanup.callback(self._drop_unused)
        cleanup.push_async_callback(self._stop)
        to = _destinations(build, self._stored, made_before, draft)
        self.wanted = (
            *(
                Wanted(
                    one.run_output_name,
                    partial(distribute, one, image, to),
                    is_stored=not isinstance(one, Vhd),
                )
                for one in build.template.distribute
            ),
            *(
                Wanted(
                    build.request.file_name(ending),
                    partial(export_as, ending, build.request.name, image, to),
                    is_file=True,
                )
                for ending in build.request.more_formats
            ),
        )

    async def make(self, wanted: Wanted) -> RunOutput:
        """Make one of them, unless an earlier attempt has; with the first one, all after it begin."""
        if not self._tasks:
            self._begin(wanted)
        return await self._tasks[wanted.name]

    def _begin(self, first: Wanted) -> None:
        self._build.records.set(run_sub_state=RunSubState.DISTRIBUTING)
        self._build.images.versions.remove_broken_off(self._build.id, writing=self._build.records.writing)
        wanted = self.wanted[self.wanted.index(first) :]
        for is_stored in (False, True):
            before: asyncio.Task[RunOutput] | None = None
            for one in wanted:
                if one.is_stored is is_stored:
                    before = self._tasks[one.name] = asyncio.create_task(self._make(one, before))

    async def _make(self, wanted: Wanted, before: asyncio.Task[RunOutput] | None) -> RunOutput:
        if before:
            await before
        build = self._build
        made = build.records.outputs().get(wanted.name)
        if made and not made.error:
            return made
        output = await wanted.make()
        if output.error:
            failure = DistributeError(output.error)
            if (cause := build.interrupts.cause_of(failure)) is not failure:
                raise cause
        if not wanted.is_file:
            build.records.distributed(output)
        return output

    async def _stop(self) -> None:
        """End what nobody waits for any more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _drop_unused(self) -> None:
        # another attempt may have made the same bytes, and not put them to use yet
        with contextlib.suppress(LostBuildError):
            self._build.records.check()
            self._stored.drop_unused()


def draft_of(build: Build) -> Draft | None:
    """Return the draft of the first raw disk or VHD that a build is to leave; None where there is none."""
    for name, ending in build.request.files:
        if FORMATS[ending] is not DiskFormat.QCOW2:
            beside = (build.request.out or _own_files(build)) / name
            return Draft(beside, FORMATS[ending], ledger=build.ledger, events=build.events)
    return None


def _own_files(build: Build) -> Path:
    return build.settings.home / "artifacts" / "vhds"


def _destinations(
    build: Build, stored: StoredImage, made_before: MadeBefore | None, draft: Draft | None
) -> Destinations:
    return Destinations(
        stored=stored,
        library=build.images.managed,
        galleries=build.images.galleries,
        versions=build.images.versions,
        location=build.template.location,
        api_version=build.template.api_version,
        makes_galleries=build.request.makes_galleries,
        files=build.request.out or _own_files(build) / build.id,
        users=build.request.out is not None,
        sums_whole_files=build.request.sums or build.settings.sums,
        made_before=made_before,
        draft=draft,
        started_at=build.started_at,
        writing=build.records.writing,
        ledger=build.ledger,
        events=build.events,
    )
