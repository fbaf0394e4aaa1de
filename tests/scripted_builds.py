"""A worker whose builds take no time: they end as the test says, with what the real distributors make."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.queueing import worker
from vmwright.artifacts.facts import ImageFacts
from vmwright.disks.qemu_img import DiskFormat
from vmwright.distributors import kinds
from vmwright.distributors.distributor import Destinations
from vmwright.distributors.finished_image import FinishedImage
from vmwright.distributors.stored import StoredImage
from vmwright.events import Events
from vmwright.images import Images, open_images
from vmwright.images.ids import parse_definition
from vmwright.machines.sizes import Capacity
from vmwright.process import run
from vmwright.runs.queue import Claim, claim_next
from vmwright.runs.records import BuildRecords
from vmwright.runs.request import BuildRequest
from vmwright.runs.states import RunState
from vmwright.runs.stored_request import StoredRequest, restored
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.resources import Ledger
from vmwright.state.tables import BuildRow
from vmwright.template.model import Distributor, Generation, OsType, PlatformImage, SharedImage, Template

PLENTY = Capacity(64, 1 << 20)
DISK_BYTES = 1 << 30
FACTS = ImageFacts(os_type=OsType.LINUX, os_name="Debian 12", generation=Generation.V1, size_bytes=DISK_BYTES)


class ScriptedBuilder:
    """Takes builds from a home's queue, in the place of a worker.

    :param exact_versions: of sources by what their templates call them (``publisher:offer:sku:version``).
    """

    def __init__(
        self, settings: Settings, database: Database, *, exact_versions: dict[str, str] | None = None
    ) -> None:
        self._settings = settings
        self._database = database
        self._exact_versions = exact_versions or {}
        self._executor = worker(database, PLENTY)
        self._held: list[Claim] = []

    def renew(self) -> None:
        """Live on: to be called every few seconds."""
        self._executor.beat()

    def end(self) -> None:
        """End as a worker does: what it still has is left to others."""
        self._executor.end()

    def take(self) -> None:
        """Take all builds that wait."""
        while held := claim_next(self._database, self._executor, PLENTY):
            self._held.append(held)

    async def succeed(self) -> None:
        """End all builds as they should: an empty disk is distributed as their templates say."""
        self.take()
        for held in self._held:
            await self._finish(held)
        self._held.clear()

    def cancel(self) -> None:
        """End those builds whose cancel was asked for; the others go on."""
        for held in tuple(self._held):
            if self._row(held).cancel_asked_at is not None:
                BuildRecords(self._database, held).end(RunState.CANCELED, "The build was cancelled")
                self._held.remove(held)

    def fail(self, message: str) -> None:
        """End all builds without an image.

        :param message: that of ``lastRunStatus``.
        """
        self.take()
        for held in self._held:
            BuildRecords(self._database, held).end(RunState.FAILED, message)
        self._held.clear()

    async def _finish(self, held: Claim) -> None:
        records, images = BuildRecords(self._database, held), open_images(self._settings, self._database)
        request, row = self._request(held), self._row(held)
        folder = self._settings.home / "scripted" / held.build_id
        folder.mkdir(parents=True)
        disk = await empty_disk(folder)
        source, exact = self._source(request.template)
        facts = next((facts_for(one, images) for one in request.template.distribute), FACTS)
        image = FinishedImage(
            disk=disk, build_id=held.build_id, facts=facts, source=source, source_version=exact
        )
        ledger, events = Ledger(self._database), Events()
        destinations = Destinations(
            stored=StoredImage(image, images.artifacts, part=folder / "part", ledger=ledger, events=events),
            library=images.managed,
            galleries=images.galleries,
            versions=images.versions,
            location=request.template.location,
            api_version=request.template.api_version,
            makes_galleries=False,
            files=folder,
            users=False,
            made_before=None,
            draft=None,
            sums_whole_files=False,
            started_at=row.started_at,
            writing=records.writing,
            ledger=ledger,
            events=events,
        )
        for distributor in request.template.distribute:
            records.distributed(await kinds.distribute(distributor, image, destinations))
        failed = [output.error for output in records.outputs().values() if output.error]
        records.end(RunState.FAILED if failed else RunState.SUCCEEDED, "; ".join(failed))

    def _row(self, held: Claim) -> BuildRow:
        with self._database.session() as session:
            return session.get_one(BuildRow, held.build_id)

    def _request(self, held: Claim) -> BuildRequest:
        row = self._row(held)
        return restored(StoredRequest.model_validate(row.request), row.template)

    def _source(self, template: Template) -> tuple[str, str]:
        """Return what the tag VMImageBuilderSource says of a template's source, and its exact version."""
        source = template.source
        if not isinstance(source, PlatformImage):
            return "", ""
        names = (source.publisher, source.offer, source.sku, source.version)
        exact = self._exact_versions.get(":".join(names), source.version)
        return f"PlatformImage {'::'.join(names)}{'' if exact == source.version else f' ({exact})'}", exact


def facts_for(distributor: Distributor, images: Images) -> ImageFacts:
    """Return the facts of an image that fits where it is distributed to."""
    if not isinstance(distributor, SharedImage):
        return FACTS
    definition = images.galleries.get_definition(parse_definition(distributor.gallery_image_id))
    return dataclasses.replace(FACTS, os_type=definition.os_type, generation=definition.generation)


async def empty_disk(folder: Path) -> Path:
    """Make a qcow2 with nothing in it."""
    path = folder / "disk.qcow2"
    await run(["qemu-img", "create", "-q", "-f", DiskFormat.QCOW2, str(path), str(DISK_BYTES)], timeout=60)
    return path
