"""The end of templates: what was made for one goes with it, its default VHDs and logs, too (reference §6.5).

Images, versions, and what a build has put where its user wanted it stay.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.providers.image_templates import runs, staging
from vmwright.arm.providers.image_templates.names import TEMPLATE_TYPE
from vmwright.arm.providers.image_templates.states import BUSY
from vmwright.arm.providers.storage.accounts import ACCOUNT_TYPE, OF_TEMPLATE
from vmwright.errors import VmwrightError
from vmwright.runs import kept_files
from vmwright.runs.queue import ask_cancel
from vmwright.runs.waking import wake
from vmwright.workers import reaper

if TYPE_CHECKING:
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource
    from vmwright.runs.newest import NewestRun

DELETE = "imageTemplates/delete"
# How long a build may take to end once it is cancelled: several times what it needs.
PATIENCE_SECONDS = 60.0
# A worker on any host ends it, and records that in the database: of that there is no event.
LOOK_SECONDS = 0.2


class Deletion:
    """The work behind the operations that delete templates, and behind the end of a resource group.

    :param patience: for how many seconds a cancelled build is waited for.
    """

    def __init__(self, service: Service, *, patience: float = PATIENCE_SECONDS) -> None:
        self._service = service
        self._patience = patience

    async def carry_out(self, operation: Operation) -> None:
        """Remove the template of an operation; one that was made since then stays.

        :raises VmwrightError: a file or a record cannot be removed.
        """
        there = await asyncio.to_thread(self._service.store.find, ids.parse(operation.resource_id))
        if there is not None and there.created_at <= operation.started_at:
            await self._remove(there)

    async def remove_all(self, group: ResourceId) -> None:
        """Remove the templates of a resource group; builds of theirs that have not ended are cancelled.

        Where it is a staging group, the files go that its storage account stands for.

        :raises VmwrightError: a build does not end in time, or a file or a record cannot be removed.
        """
        for template in await asyncio.to_thread(self._in, group, TEMPLATE_TYPE):
            await self._end_build(template)
            await self._remove(template)
        for account in await asyncio.to_thread(self._in, group, ACCOUNT_TYPE):
            await self._remove_files(account.body[OF_TEMPLATE])

    async def _end_build(self, template: Resource) -> None:
        run = await self._cancelled(template)
        deadline = time.monotonic() + self._patience
        while run is not None and run.state in BUSY:
            if time.monotonic() > deadline:
                raise VmwrightError(
                    f"The build {run.build_id} of {template.name} did not end within "
                    f"{self._patience:.0f} s of its cancel",
                    target=template.id,
                    hint="see whether its worker runs, and delete the group again",
                )
            await asyncio.sleep(LOOK_SECONDS)
            run = await asyncio.to_thread(runs.newest, template, self._service)

    async def _cancelled(self, template: Resource) -> NewestRun | None:
        """Cancel the build of a template that has not ended, and return how it goes with its newest one."""
        database = self._service.database
        run = await asyncio.to_thread(runs.newest, template, self._service)
        if run is None or run.state not in BUSY:
            return run
        await asyncio.to_thread(ask_cancel, database, run.build_id)
        await asyncio.to_thread(wake, database, run.build_id)
        return await asyncio.to_thread(runs.newest, template, self._service)

    async def _remove(self, template: Resource) -> None:
        await self._remove_files(template.id)
        await asyncio.to_thread(self._remove_records, template)
        # somebody may have run it meanwhile
        await self._cancelled(template)

    async def _remove_files(self, template_id: str) -> None:
        """Remove what the builds of a template have left; those of another host when it clears up itself."""
        database, artifacts = self._service.database, self._service.images.artifacts
        for key in await asyncio.to_thread(kept_files.shared_logs, database, template_id):
            await artifacts.delete_bytes(key)
        await asyncio.to_thread(kept_files.give_up, database, template_id)
        for left in await asyncio.to_thread(kept_files.given_up, database, template_id):
            try:
                await reaper.clear(database, left)
            except OSError as error:
                raise VmwrightError(
                    f"{left.identity} cannot be removed: {error.strerror or error}", target=left.identity
                ) from error

    def _remove_records(self, template: Resource) -> None:
        staging.remove(self._service.store, template)
        self._service.store.remove(ids.parse(template.id))

    def _in(self, group: ResourceId, kind: str) -> list[Resource]:
        return self._service.store.find_all(kind=kind, subscription=group.subscription, group=group.group)
