"""What is asked of deployments, at resource groups and at subscriptions."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from typing import TYPE_CHECKING, Any

from vmwright.arm import checks
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.errors import ArmError
from vmwright.arm.ids import ResourceId, parse
from vmwright.arm.operations import RETRY_AFTER, Status
from vmwright.arm.paging import page_of
from vmwright.arm.providers.deployments import records, shapes, what_if
from vmwright.arm.providers.deployments.asked import asked_for
from vmwright.arm.providers.deployments.deploying import WRITE
from vmwright.arm.providers.deployments.places import OPERATIONS, RESULTS, deployment_id, not_found

if TYPE_CHECKING:
    from vmwright.arm.http.call import Call
    from vmwright.arm.operations import Operation
    from vmwright.arm.providers.deployments.asked import Asked, Tools
    from vmwright.arm.store import Resource

# As a deployment's operation says how it goes; others say InProgress.
SPOKEN = {Status.IN_PROGRESS: "Running"}
STATE = re.compile(r"\s*provisioningState\s+eq\s+'([A-Za-z]*)'\s*", re.IGNORECASE)


class Calls:
    """The handlers."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._records = tools.records
        self._operations = tools.service.operations

    async def put(self, call: Call) -> Answer:
        """Begin a deployment."""
        deployment = deployment_id(call)
        there = await asyncio.to_thread(self._found, deployment)
        if there is not None and records.state_of(there) in records.ACTIVE:
            raise records.active(there)
        asked = await asked_for(call, deployment, self._tools)
        operation, kept, is_new = await asyncio.to_thread(self._begin, deployment, asked, call)
        self._tools.background.begin(operation)
        url = f"{call.base_url}{deployment}/operationStatuses/{operation.id}?api-version={call.api_version}"
        headers = {
            "Azure-AsyncOperation": url,
            "Retry-After": RETRY_AFTER,
            "x-ms-request-id": operation.id,
        }
        return Answer(status=201 if is_new else 200, body=shapes.shown(kept), headers=headers)

    async def validate(self, call: Call) -> Answer:
        """Say what a deployment would make, or what is wrong with it."""
        deployment = deployment_id(call)
        asked = await asked_for(call, deployment, self._tools)
        plan = asked.plan
        properties = {
            **shapes.properties_of(asked.wanted, plan, correlation_id=call.correlation_id),
            "provisioningState": records.SUCCEEDED,
            "timestamp": records.written(asked.work.source.now),
            "duration": records.duration(asked.work.source.now),
            "validatedResources": shapes.ids_of(step.path for step in plan.steps),
        }
        body: dict[str, Any] = {"id": str(deployment), "name": deployment.name, "type": deployment.type}
        if not deployment.group:
            body["location"] = asked.wanted.location
        return ok({**body, "properties": properties})

    async def what_if(self, call: Call) -> Answer:
        """Compare a deployment with what is there; the result is where the answer says."""
        deployment = deployment_id(call)
        asked = await asked_for(call, deployment, self._tools)
        tool = self._tools.what_if
        changes = await tool.changes(
            asked.plan, deployment, asked.work, result_format=asked.wanted.result_format
        )
        result = await asyncio.to_thread(tool.keep, deployment, changes, asked.work.asker)
        url = f"{call.base_url}{result}?api-version={call.api_version}"
        return Answer(status=202, headers={"Location": url, "Retry-After": RETRY_AFTER})

    async def result(self, call: Call) -> Answer:
        """Return what a comparison has shown."""
        wanted = deployment_id(call).below(RESULTS, call.names["id"])
        found = await asyncio.to_thread(self._tools.what_if.find, wanted)
        if found is None:
            raise ArmError(404, "OperationNotFound", f"There is no result '{wanted.name}'.", is_gateways=True)
        return ok(what_if.shown(found))

    async def get(self, call: Call) -> Answer:
        """Show a deployment."""
        return ok(shapes.shown(await self._get(call)))

    async def exists(self, call: Call) -> Answer:
        """Say whether there is one of a name."""
        found = await asyncio.to_thread(self._records.find, deployment_id(call))
        return Answer(status=404 if found is None else 204)

    async def all(self, call: Call) -> Answer:
        """List deployments."""
        scope = ResourceId(call.names["subscription"], call.names.get("group", ""))
        if scope.group:
            await asyncio.to_thread(
                checks.find_group, self._tools.service.store, scope.subscription, scope.group
            )
        found = await asyncio.to_thread(self._records.find_all, scope)
        if asked := STATE.fullmatch(call.query.get("$filter", "")):
            found = [one for one in found if records.state_of(one).lower() == asked[1].lower()]
        return page_of(call, [shapes.shown(one) for one in found])

    async def delete(self, call: Call) -> Answer:
        """Forget a deployment; what it has made stays."""
        deployment = deployment_id(call)
        found = await asyncio.to_thread(self._found, deployment)
        if found is not None and records.state_of(found) in records.ACTIVE:
            raise records.active(found)
        await asyncio.to_thread(self._records.remove, deployment)
        return Answer(status=204)

    async def cancel(self, call: Call) -> Answer:
        """End a deployment; what is being made is, and nothing after it."""
        found = await self._get(call)
        if records.state_of(found) not in records.ACTIVE or not await asyncio.to_thread(self._cancel, found):
            raise ArmError(
                409,
                "DeploymentCannotBeCancelled",
                f"The deployment '{found.name}' cannot be cancelled: it has already ended.",
                is_gateways=True,
            )
        return Answer(status=204)

    async def export(self, call: Call) -> Answer:
        """Return a deployment's template."""
        return ok({"template": (await self._get(call)).body["work"]["template"]})

    async def status(self, call: Call) -> Answer:
        """Say how the operation that began a deployment goes."""
        found = await asyncio.to_thread(self._operations.find, call.names["id"])
        if found is None or found.kind != WRITE or found.resource_id.lower() != deployment_id(call).key:
            name = call.names["id"]
            raise ArmError(404, "OperationNotFound", f"There is no operation '{name}'.", is_gateways=True)
        body: dict[str, Any] = {"status": SPOKEN.get(found.status, found.status.value)}
        if found.error is not None:
            body["error"] = dict(found.error)
        is_open = found.status is Status.IN_PROGRESS
        return Answer(body=body, headers={"Retry-After": RETRY_AFTER} if is_open else {})

    async def operations(self, call: Call) -> Answer:
        """List what a deployment has done."""
        found = await self._get(call)
        done = await asyncio.to_thread(self._records.operations, deployment_id(call))
        run = found.body["work"]["operation"]
        return page_of(call, [shapes.operation(one) for one in done if one.body["run"] == run])

    async def operation(self, call: Call) -> Answer:
        """Show one operation of a deployment."""
        wanted = deployment_id(call).below(OPERATIONS, call.names["id"])
        found = await asyncio.to_thread(self._records.operation, wanted)
        if found is None:
            raise ArmError(
                404,
                "DeploymentOperationNotFound",
                f"The deployment operation '{wanted.name}' could not be found.",
                is_gateways=True,
            )
        return ok(shapes.operation(found))

    def _begin(self, deployment: ResourceId, asked: Asked, call: Call) -> tuple[Operation, Resource, bool]:
        location = asked.work.source.scope.location
        operation = self._operations.begin(WRITE, deployment, location=location)
        work = dataclasses.replace(asked.work, operation=operation.id)
        properties = {
            **shapes.properties_of(asked.wanted, asked.plan, correlation_id=call.correlation_id),
            "provisioningState": records.ACCEPTED,
            "timestamp": records.written(work.source.now),
            "duration": records.duration(work.source.now),
        }
        try:
            kept, is_new = self._records.begin(
                deployment,
                work,
                properties,
                location=location,
                tags=asked.wanted.tags,
                api_version=call.api_version,
            )
        except ArmError as error:
            self._operations.end(operation.id, Status.FAILED, error)
            raise
        return operation, kept, is_new

    async def _get(self, call: Call) -> Resource:
        deployment = deployment_id(call)
        found = await asyncio.to_thread(self._found, deployment)
        if found is None:
            raise not_found(deployment)
        return found

    def _found(self, deployment: ResourceId) -> Resource | None:
        """Return a deployment; one whose end could not be kept has that of its operation."""
        found = self._records.find(deployment)
        if found is None or records.state_of(found) not in records.ACTIVE:
            return found
        run = found.body["work"]["operation"]
        operation = self._operations.find(run)
        if operation is not None and operation.status is Status.IN_PROGRESS:
            return found
        error = dict(operation.error or {}) if operation else {}
        self._records.end(deployment, run, provisioningState=records.FAILED, error=error)
        return self._records.find(deployment)

    def _cancel(self, deployment: Resource) -> bool:
        run = deployment.body["work"]["operation"]
        has_ended = self._records.end(parse(deployment.id), run, provisioningState=records.CANCELED)
        if has_ended:
            self._operations.end(run, Status.CANCELED)
        return has_ended
