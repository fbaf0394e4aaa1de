"""What fires triggers: a newer version of a template's source starts a build (reference §13).

One service of several looks at a time. What was seen is kept with the trigger, and written before a build is
asked for: a service that ends in between starts neither two builds nor none.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.arm import ids, times
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.image_templates import bodies, runs, shapes
from vmwright.arm.providers.image_templates.faults import ProvisioningError
from vmwright.arm.providers.image_templates.finding import find_source
from vmwright.arm.providers.image_templates.names import TRIGGER_TYPE
from vmwright.arm.providers.image_templates.states import ProvisioningState
from vmwright.arm.providers.image_templates.triggers import LATEST, check_template, failures_in_a_row, healthy
from vmwright.arm.providers.image_templates.watches import WATCH, Watch, followed
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from vmwright.arm.providers.image_templates.provisioning import FindSource
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource

TURN = "triggers"
# After trouble with the database.
AGAIN_SECONDS = 60.0
Known = dict[str, str | ProvisioningError]


class Following:
    """Looks now and then for newer versions of the sources that triggers follow.

    :param find: finds the sources of templates.
    """

    def __init__(self, service: Service, *, find: FindSource = find_source) -> None:
        self._service = service
        self._find = find
        self._asked = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look as long as the block runs, from now on."""
        looking = asyncio.create_task(self._keep_looking(), name=TURN)
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    def soon(self) -> None:
        """Say that there is a new trigger: what its source is now is where it begins."""
        self._asked.set()

    async def look(self, *, only_new: bool = False) -> None:
        """Look at the source of each trigger's template, and start the builds that are due.

        :param only_new: leave out triggers that have been looked at before.
        :raises VmwrightError: the database cannot be used.
        """
        async with self._turn() as make_sure:
            known: Known = {}
            for trigger in await asyncio.to_thread(self._triggers):
                if not only_new or not Watch.of(trigger.body).seen:
                    await self._follow(trigger, known, make_sure)

    async def _keep_looking(self) -> None:
        period = self._service.settings.service.trigger_minutes * 60.0
        due = time.monotonic()
        while True:
            is_due = time.monotonic() >= due
            if is_due:
                due = time.monotonic() + period
            (trouble,) = await asyncio.gather(self.look(only_new=not is_due), return_exceptions=True)
            if trouble is not None:
                due = min(due, time.monotonic() + AGAIN_SECONDS)
                told = trouble.message if isinstance(trouble, VmwrightError) else repr(trouble)
                self._service.events.warn(f"Sources that triggers follow could not be looked at: {told}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await self._asked.wait()
            self._asked.clear()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[Callable[[], None]]:
        """Have the turn among the services of a database; gives what raises where it is lost."""
        if not self._service.database.is_shared:
            yield lambda: None
            return
        async with self._service.database.holding(TURN) as make_sure:
            yield make_sure

    def _triggers(self) -> list[Resource]:
        return self._service.store.find_all(kind=TRIGGER_TYPE, subscription=self._service.subscription)

    async def _follow(self, trigger: Resource, known: Known, make_sure: Callable[[], None]) -> None:
        template = await asyncio.to_thread(self._service.store.find, ids.parse(trigger.id).parent)
        if template is None or template.properties["provisioningState"] != ProvisioningState.SUCCEEDED:
            return
        try:
            version = await self._newest(template, known)
        except ArmError as fault:
            await asyncio.to_thread(self._tell, trigger, fault.message)
        except ProvisioningError as fault:
            await asyncio.to_thread(self._tell, trigger, fault.message)
        else:
            await asyncio.to_thread(self._tell, trigger, "")
            make_sure()
            await asyncio.to_thread(self._go_on, trigger, template, version)

    async def _newest(self, template: Resource, known: Known) -> str:
        """Return the newest version of a template's source; "" where none is known here yet.

        :param known: what this look has found out already, by source and location.
        :raises ArmError: the template is none that can be followed any more.
        :raises ProvisioningError: there is no such source, or nobody can tell now.
        """
        check_template(template)
        key = repr((followed(template.properties["source"]), template.location))
        if key not in known:
            known[key] = await self._looked_up(template)
        version = known[key]
        if isinstance(version, ProvisioningError):
            raise version
        return "" if version.rpartition("/")[2].lower() == LATEST else version

    async def _looked_up(self, template: Resource) -> str | ProvisioningError:
        body = shapes.body_of(template)
        read, _ = await asyncio.to_thread(
            bodies.read_kept, body, version=template.api_version, name=template.name
        )
        try:
            return (await self._find(read, self._service)).exact_version
        except ProvisioningError as fault:
            return fault
        except VmwrightError as error:
            return ProvisioningError.of(error)

    def _tell(self, trigger: Resource, fault: str) -> None:
        """Write into the status of a trigger that something keeps it from following, or nothing any more."""
        before = trigger.properties["status"]
        if before["message"] == (fault or healthy()["message"]):
            return
        now = times.short(datetime.now(UTC))
        status = {"code": "Unhealthy", "message": fault, "time": now} if fault else healthy()

        def revise(there: Resource) -> dict[str, object]:
            return {"body": {**there.body, "properties": {**there.properties, "status": status}}}

        self._service.store.revise(ids.parse(trigger.id), revise)
        if fault:
            self._service.events.warn(f"The trigger {trigger.id} cannot follow its source: {fault}")

    def _go_on(self, trigger: Resource, template: Resource, version: str) -> None:
        """Start a build where a version is new, and keep what was seen."""
        watch = self._told(trigger, template)
        source = followed(template.properties["source"])
        if not version:
            return
        if not watch.follows(source):
            self._keep(trigger, dataclasses.replace(watch, source=source, seen=version, noticed=""))
        elif watch.is_new(version) and watch.is_told:
            # the build that activates it again will have this version
            self._keep(trigger, dataclasses.replace(watch, seen=version, noticed=""))
        elif watch.is_new(version):
            self._start(trigger, template, version, watch)

    def _told(self, trigger: Resource, template: Resource) -> Watch:
        """Say once that a trigger is deactivated, or active again; return its watch then."""
        watch = Watch.of(trigger.body)
        failed = failures_in_a_row(template, self._service)
        if watch.is_told == bool(failed):
            return watch
        if failed:
            self._service.events.warn(
                f"The trigger {trigger.id} is deactivated: the last {len(failed)} builds of its template "
                f"have failed, the newest with: {failed[0].message}"
            )
        else:
            self._service.events.note(f"The trigger {trigger.id} is active again: a build has succeeded")
        return self._keep(trigger, dataclasses.replace(watch, is_told=bool(failed)))

    def _start(self, trigger: Resource, template: Resource, version: str, watch: Watch) -> None:
        if watch.noticed != version or watch.noticed_at is None:
            watch = dataclasses.replace(watch, noticed=version, noticed_at=datetime.now(UTC))
            self._keep(trigger, watch)
        newest = runs.newest(template, self._service)
        is_started = newest and watch.noticed_at and newest.started_at >= watch.noticed_at
        build_id = None if is_started else runs.submit(template, self._service)
        if not is_started and build_id is None:
            return  # it is being built: with the version before, perhaps
        self._keep(trigger, dataclasses.replace(watch, seen=version, noticed="", noticed_at=None))
        if build_id:
            self._service.events.note(
                f"The source of {template.id} has a newer version, {version}: its trigger {trigger.name} has "
                f"started the build {build_id}"
            )

    def _keep(self, trigger: Resource, watch: Watch) -> Watch:
        def revise(there: Resource) -> dict[str, object]:
            return {"body": {**there.body, WATCH: watch.as_body()}}

        self._service.store.revise(ids.parse(trigger.id), revise)
        return watch
