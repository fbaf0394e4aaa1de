"""What a build needs from outside before a machine starts: its source disk, its scripts and files."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.artifacts.files import sha256_of
from vmwright.artifacts.together import each
from vmwright.builds.messages import step_failed
from vmwright.builds.phases import phase
from vmwright.builds.preflight import check_destinations
from vmwright.builds.syntax import warn_of_syntax_errors
from vmwright.customizers.kinds import ReadyStep, fetch_step, runnable
from vmwright.downloads import Downloader, Origin
from vmwright.errors import BuildError, DownloadError
from vmwright.events import Phase
from vmwright.runs.fetched import FetchedFile
from vmwright.sources.checking import check_against
from vmwright.sources.context import SourceContext
from vmwright.sources.resolve import resolve
from vmwright.state.host import host_id
from vmwright.template.model import IsoSource, ManagedImageSource, PlatformImage, SharedImageVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.builds.build import Build
    from vmwright.sources.base_disk import BaseDisk
    from vmwright.state.tables import InputRow
    from vmwright.template.model import Customizer, Source

# How many scripts and files come at once.
DOWNLOADS = 4


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
    with phase(build.events, Phase.SOURCE, describe(build.template.source)):
        context = SourceContext.of(
            build.settings, build.database, build.images, events=build.events, ledger=build.ledger
        )
        base = await resolve(build.template.source, context, location=build.template.location)
        check_against(build.template, base.facts)
        check_destinations(build.template, base, build.database)
        build.records.set(source=base.record)
    return base


async def open_source(build: Build, found: BaseDisk) -> BaseDisk:
    """Return the disk that was found, perhaps by an earlier attempt on another host, as a file of this one.

    :raises BuildError: it is neither here nor in the shared store.
    """
    if found.path.exists():
        return found
    artifact = await build.interrupts.run(build.images.artifacts.fetch(found.digest))
    return dataclasses.replace(found, path=artifact.path)


@dataclass(frozen=True, slots=True)
class ReadySteps:
    """The steps of a build, with their scripts and files: numbered through, in their order."""

    customize: tuple[ReadyStep, ...]
    validate: tuple[ReadyStep, ...]


async def fetch_steps(build: Build) -> None:
    """Download and verify scripts and files of the steps to come, as the service does at submission (§6.1).

    Several come at once; where one cannot be had, the others are broken off. They stay, for a later attempt,
    until the build has succeeded or is not kept any longer.

    :raises StepError: one cannot be had, or its checksum differs.
    """
    folder = build.folder / "fetched"
    folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as unless_recorded:
        unless_recorded.callback(shutil.rmtree, folder)
        ready = await _fetched(build, folder)
        await warn_of_syntax_errors(ready, build.events)
        build.records.fetched([await _kept(build, one) for one in ready])
        unless_recorded.pop_all()


async def _fetched(build: Build, folder: Path) -> list[ReadyStep]:
    """Return the steps to come, in their order, with their scripts and files in a folder."""
    downloader = Downloader(build.settings, build.events, identities=build.template.identities)
    done = _done(build)
    # what a client of the service has written leads to no file of this host, here as at its submission
    origin = Origin.LOCAL if build.request.template_id is None else Origin.SERVICE
    ready: dict[int, ReadyStep] = {}

    async def fetch(uri: str, destination: Path, *, sha256: str | None, what: str) -> Path:
        fetched = await downloader.fetch(uri, destination, sha256=sha256, what=what, origin=origin)
        return fetched.path

    async def fetch_one(numbered: tuple[int, Customizer]) -> None:
        number, step = numbered
        try:
            ready[number] = await fetch_step(step, number, fetch=fetch, folder=folder)
        except DownloadError as error:
            total = build.request.step_count
            raise step_failed(step, number, total, error.message, hint=error.hint) from error

    await each([one for one in _numbered(build) if one[0] > done], fetch_one, at_once=DOWNLOADS)
    return [ready[number] for number in sorted(ready)]


async def open_steps(build: Build) -> ReadySteps:
    """Return the steps with their files on this host, but for those of steps that are done.

    :raises BuildError: the file of one that is to come is neither here nor in the shared store.
    """
    files = {row.number: row for row in build.records.inputs()}
    done = _done(build)
    steps = [
        ReadyStep(
            number, runnable(step), build.folder if number <= done else await _had_here(build, files[number])
        )
        for number, step in _numbered(build)
    ]
    count = len(build.template.customize)
    return ReadySteps(tuple(steps[:count]), tuple(steps[count:]))


async def remove_inputs(build: Build) -> None:
    """Remove the scripts and files of all steps."""
    digests = [row.digest for row in build.records.inputs()]
    build.records.drop_inputs()
    for folder in build.root.glob("*/fetched"):
        await asyncio.to_thread(shutil.rmtree, folder)
    for digest in filter(None, digests):
        await build.images.artifacts.unshare(digest)


def _done(build: Build) -> int:
    """Return the last customizer that the disk has behind it."""
    step = max((layer.step for layer in build.records.layers()), default=0)
    return min(step, len(build.template.customize))


def _numbered(build: Build) -> Iterator[tuple[int, Customizer]]:
    return enumerate((*build.template.customize, *build.template.in_vm_validations), start=1)


async def _kept(build: Build, ready: ReadyStep) -> FetchedFile:
    digest = await build.images.artifacts.share(ready.file)
    sha256 = digest or await sha256_of(ready.file)
    return FetchedFile(number=ready.number, path=ready.file, sha256=sha256, digest=digest)


async def _had_here(build: Build, row: InputRow) -> Path:
    path = Path(row.path)
    if row.host == host_id() and path.exists() and await sha256_of(path) == row.sha256:
        return path
    if row.digest is None:
        raise BuildError(
            f"The script or file of step {row.number} is gone: {path}",
            hint=f"vmwright resume {build.id} fetches it again",
        )
    here = build.folder / "fetched" / path.name
    here.parent.mkdir(mode=0o700, exist_ok=True)
    await build.images.artifacts.fetch_file(row.digest, here)
    return here
