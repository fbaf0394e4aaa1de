"""What a build needs from outside before a machine starts: its source disk, its scripts and files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.builds.messages import step_failed
from vmwright.builds.preflight import check_destinations
from vmwright.builds.syntax import warn_of_syntax_errors
from vmwright.customizers.kinds import ReadyStep, fetch_step
from vmwright.downloads import Downloader, Origin
from vmwright.errors import DownloadError
from vmwright.images import open_images
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.checking import check_against
from vmwright.sources.context import SourceContext
from vmwright.sources.resolve import resolve
from vmwright.state.resources import ResourceKind
from vmwright.template.model import IsoSource, ManagedImageSource, PlatformImage, SharedImageVersion

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

    from vmwright.builds.build import Build
    from vmwright.events import Events
    from vmwright.settings import Settings
    from vmwright.sources.base_disk import BaseDisk
    from vmwright.state.database import Database
    from vmwright.state.resources import Ledger
    from vmwright.template.model import Source


def source_context(
    settings: Settings, database: Database, *, events: Events, ledger: Ledger
) -> SourceContext:
    """Return what the sources work with, for a build or a command."""
    images = open_images(settings, database)
    return SourceContext(
        settings=settings,
        catalogue=Catalogue(database, images.artifacts),
        artifacts=images.artifacts,
        images=images.managed,
        versions=images.versions,
        downloader=Downloader(settings, events),
        events=events,
        ledger=ledger,
    )


def describe(source: Source) -> str:
    """Return how people call a source."""
    match source:
        case PlatformImage():
            return source.urn
        case ManagedImageSource():
            return source.image_id
        case SharedImageVersion():
            return source.image_version_id
        case IsoSource():
            return source.source_uri


async def find_source(build: Build) -> BaseDisk:
    """Resolve the template's source to a disk, and check that it can be what the template makes of it.

    :raises SourceError: it cannot be found, made or read.
    :raises TemplateError: the disk is larger than osDiskSizeGB, or a step does not fit its OS.
    :raises DistributeError: an image definition that it should go to is for other images.
    """
    context = source_context(build.settings, build.database, events=build.events, ledger=build.ledger)
    base = await resolve(build.template.source, context, location=build.template.location)
    check_against(build.template, base.facts)
    check_destinations(build.template, base, build.database)
    build.records.set(source=base.record)
    return base


@dataclass(frozen=True, slots=True)
class ReadySteps:
    """The steps of a build, with their scripts and files: numbered through, in their order."""

    customize: tuple[ReadyStep, ...]
    validate: tuple[ReadyStep, ...]


async def fetch_steps(build: Build, cleanup: AsyncExitStack) -> ReadySteps:
    """Download and verify the scripts and files of all steps, as the service does at submission (§6.1).

    They are removed with the build's other things: they may hold what a secure parameter gave.

    :raises StepError: one cannot be had, or its checksum differs.
    """
    downloader = Downloader(build.settings, build.events, identities=build.template.identities)
    folder = build.folder / "fetched"
    cleanup.callback(build.ledger.release, build.ledger.claim(ResourceKind.PATH, folder))
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    folder.mkdir()

    async def fetch(uri: str, destination: Path, *, sha256: str | None, what: str) -> Path:
        fetched = await downloader.fetch(uri, destination, sha256=sha256, what=what, origin=Origin.LOCAL)
        return fetched.path

    steps = []
    customize, total = build.template.customize, build.step_count
    for number, step in enumerate((*customize, *build.template.in_vm_validations), start=1):
        try:
            steps.append(await fetch_step(step, number, fetch=fetch, folder=folder))
        except DownloadError as error:
            raise step_failed(step, number, total, error.message, hint=error.hint) from error
    await warn_of_syntax_errors(steps, build.events)
    return ReadySteps(tuple(steps[: len(customize)]), tuple(steps[len(customize) :]))
