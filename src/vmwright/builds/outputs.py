"""What a build leaves: its run outputs, the files for its user, the record of both."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vmwright.distributors.distributor import Destinations, RunOutput
from vmwright.distributors.kinds import distribute, export_as
from vmwright.distributors.stored import StoredImage
from vmwright.errors import DistributeError, LostBuildError
from vmwright.runs.states import RunSubState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from vmwright.builds.build import Build
    from vmwright.distributors.finished_image import FinishedImage


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to be made of the finished image: a run output, or a further file (``is_file``)."""

    name: str
    make: Callable[[], Awaitable[RunOutput]]
    is_file: bool = False


class Distribution:
    """The distributors of a template, then the formats that the user asked for besides: a step each.

    What failed carries its error and undoes nothing of the rest.
    """

    def __init__(self, build: Build, image: FinishedImage, cleanup: AsyncExitStack) -> None:
        self._build = build
        self._stored = StoredImage(
            image,
            build.images.artifacts,
            part=build.folder / "image.qcow2",
            ledger=build.ledger,
            events=build.events,
        )
        cleanup.callback(self._drop_unused)
        to = _destinations(build, self._stored)
        self.wanted = (
            *(
                Wanted(one.run_output_name, partial(distribute, one, image, to))
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
        """Make one of them, unless an earlier attempt has."""
        build = self._build
        build.records.set(run_sub_state=RunSubState.DISTRIBUTING)
        before = build.records.outputs().get(wanted.name)
        if before and not before.error:
            return before
        build.images.versions.remove_broken_off(build.id, writing=build.records.writing)
        output = await wanted.make()
        if output.error:
            failure = DistributeError(output.error)
            if (cause := build.interrupts.cause_of(failure)) is not failure:
                raise cause
        if not wanted.is_file:
            build.records.distributed(output)
        return output

    def _drop_unused(self) -> None:
        # another attempt may have made the same bytes, and not put them to use yet
        with contextlib.suppress(LostBuildError):
            self._build.records.check()
            self._stored.drop_unused()


def _destinations(build: Build, stored: StoredImage) -> Destinations:
    return Destinations(
        stored=stored,
        library=build.images.managed,
        galleries=build.images.galleries,
        versions=build.images.versions,
        location=build.template.location,
        api_version=build.template.api_version,
        makes_galleries=build.request.makes_galleries,
        files=build.request.out or build.settings.home / "artifacts" / "vhds" / build.id,
        users=build.request.out is not None,
        started_at=build.started_at,
        writing=build.records.writing,
        ledger=build.ledger,
        events=build.events,
    )
