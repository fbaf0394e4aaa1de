"""The end of templates: what was made for one goes with it; images and versions stay (reference §6.5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.providers.image_templates import runs, staging
from vmwright.arm.providers.image_templates.names import TEMPLATE_TYPE
from vmwright.arm.providers.image_templates.states import BUSY
from vmwright.runs.queue import ask_cancel

if TYPE_CHECKING:
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource

DELETE = "imageTemplates/delete"


class Deletion:
    """The work behind the operations that delete templates, and behind the end of a resource group."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def carry_out(self, operation: Operation) -> None:
        """Remove the template of an operation; one that was made since then stays."""
        await asyncio.to_thread(self.remove, operation)

    async def remove_all(self, group: ResourceId) -> None:
        """Remove the templates of a resource group; builds of theirs that have not ended are cancelled."""
        await asyncio.to_thread(self._remove_all, group)

    def remove(self, operation: Operation) -> None:
        """Do the work of ``carry_out``."""
        there = self._service.store.find(ids.parse(operation.resource_id))
        if there is not None and there.created_at <= operation.started_at:
            self._remove(there)

    def _remove_all(self, group: ResourceId) -> None:
        store = self._service.store
        for template in store.find_all(
            kind=TEMPLATE_TYPE, subscription=group.subscription, group=group.group
        ):
            run = runs.newest(template, self._service)
            if run is not None and run.state in BUSY:
                ask_cancel(self._service.database, run.build_id)
            self._remove(template)

    def _remove(self, template: Resource) -> None:
        staging.remove(self._service.store, template)
        self._service.store.remove(ids.parse(template.id))
