"""The work behind deployments: their resources made one after the other, each after those that it needs.

What it does bears being done again: a service that starts goes on with the resources that are not made yet.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError, foreseen
from vmwright.arm.ids import parse
from vmwright.arm.providers.deployments import planning, records, shapes
from vmwright.arm.providers.deployments.facts import Facts
from vmwright.arm.providers.deployments.faults import canceled, failed
from vmwright.arm.providers.deployments.making import Making
from vmwright.arm.providers.deployments.places import address, operation_id
from vmwright.arm.providers.deployments.requests import INCREMENTAL
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from vmwright.arm.dispatcher import Dispatcher
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation
    from vmwright.arm.providers.deployments.planning import Plan, Step
    from vmwright.arm.providers.deployments.records import Records, Work
    from vmwright.template.deployment import Resource
    from vmwright.template.deployment.evaluate import Nested

WRITE = "deployments/write"


class Deploying:
    """Carries out deployments."""

    def __init__(self, kept: Records, dispatcher: Dispatcher) -> None:
        self._records = kept
        self._dispatcher = dispatcher

    async def carry_out(self, operation: Operation) -> None:
        """Carry out the deployment of an operation.

        :raises ArmError: it has failed, or was cancelled; the deployment tells the same.
        """
        deployment = parse(operation.resource_id)
        there = await asyncio.to_thread(self._records.find, deployment)
        if there is None or not records.is_active(there, operation.id):
            raise canceled(deployment)
        try:
            run = _Run(self._records, self._dispatcher, deployment, records.work_of(there))
            properties = await run.go()
        except ArmError as error:
            await self._fail(deployment, operation, error)
            raise
        except VmwrightError as error:
            await self._fail(deployment, operation, foreseen(error))
            raise
        await asyncio.to_thread(
            self._records.end, deployment, operation.id, provisioningState=records.SUCCEEDED, **properties
        )

    async def _fail(self, deployment: ResourceId, operation: Operation, error: ArmError) -> None:
        await asyncio.to_thread(
            self._records.end,
            deployment,
            operation.id,
            provisioningState=records.FAILED,
            error=error.inner(),
        )


class _Run:
    """One deployment under way: ``failures`` are those of resources, by their keys."""

    def __init__(self, kept: Records, dispatcher: Dispatcher, deployment: ResourceId, work: Work) -> None:
        self._records = kept
        self._dispatcher = dispatcher
        self._deployment = deployment
        self._work = work
        self._making = Making(dispatcher, kept, deployment, work)
        self._facts = Facts()
        self._failures: dict[str, ArmError] = {}

    async def go(self) -> dict[str, Any]:
        """Make all resources, and return the properties that the deployment has then.

        :raises ArmError: some cannot be made, or what the template gives back has no value.
        """
        plan = await self._evaluated()
        await self._look_back(plan)
        is_fresh = False
        while step := self._next(plan):
            await self._go_on()
            if step.is_open and not is_fresh:
                plan, is_fresh = await self._evaluated(), True
                continue
            await self._make(step)
            is_fresh = False
        plan = await self._evaluated()
        await self._keep_nested(plan)
        if errors := self._errors(plan, within=""):
            raise failed(self._deployment, errors)
        return {
            "outputs": _given_back(plan.deployment.outputs, plan.deployment.open_outputs),
            "outputResources": shapes.ids_of(step.path for step in plan.steps),
            "dependencies": shapes.dependencies_of(plan),
        }

    async def _evaluated(self) -> Plan:
        self._facts.forget_missing()
        return await planning.plan(self._work.source, self._facts, self._dispatcher, self._work.asker)

    async def _look_back(self, plan: Plan) -> None:
        """Find what was made already, before the service was started again."""
        resources = [*plan.deployment.resources, *(one.resource for one in plan.deployment.nested)]
        for owner in {self._owner(one) for one in resources}:
            await asyncio.to_thread(self._records.forget, owner, self._work.operation)
        for step in plan.steps:
            done = await asyncio.to_thread(self._records.operation, self._operation(step.resource))
            if done is not None and records.state_of(done) == records.SUCCEEDED:
                self._facts.made[step.key] = await self._making.read(step)

    def _next(self, plan: Plan) -> Step | None:
        """Return what is made next; what needs something that has failed is not."""
        over = self._facts.made.keys() | self._failures.keys()
        return next(
            (step for step in plan.steps if step.key not in over and not self._failures.keys() & step.needs),
            None,
        )

    async def _make(self, step: Step) -> None:
        try:
            if step.is_open:
                raise self._unknown(step)
            self._facts.made[step.key] = await self._making.make(step, self._operation(step.resource))
        except ArmError as error:
            self._failures[step.key] = error

    async def _go_on(self) -> None:
        is_active = await asyncio.to_thread(
            self._records.change,
            self._deployment,
            self._work.operation,
            provisioningState=records.RUNNING,
        )
        if not is_active:
            raise canceled(self._deployment)

    async def _keep_nested(self, plan: Plan) -> None:
        """Keep the deployments in this one that were carried out, with how that went."""
        for nested in plan.deployment.nested:
            errors = self._errors(plan, within=nested.resource.id)
            needed = {address(one).lower() for one in nested.resource.needs}
            if errors or not self._failures.keys() & needed:
                await self._keep_one(nested, plan, errors)

    async def _keep_one(self, nested: Nested, plan: Plan, errors: list[ArmError]) -> None:
        deployment = parse(address(nested.resource.id))
        state = records.FAILED if errors else records.SUCCEEDED
        common = {
            "provisioningState": state,
            "timestamp": records.now(),
            "duration": records.duration(self._work.source.now),
        }
        properties: dict[str, Any] = {
            **common,
            "mode": INCREMENTAL,
            "correlationId": self._work.asker.correlation_id,
            "outputResources": shapes.ids_of(
                step.path
                for step in plan.steps
                if step.resource.within == nested.resource.id and step.key in self._facts.made
            ),
        }
        error = failed(deployment, errors) if errors else None
        if error:
            properties["error"] = error.inner()
        else:
            properties["outputs"] = shapes.typed(nested.outputs.values)
        await asyncio.to_thread(
            self._records.keep_nested, deployment, self._work, nested.template, properties
        )
        status = error.status if error else HTTPStatus.OK
        shown = {**shapes.operation_of(nested.resource, state, status, error), **common}
        await asyncio.to_thread(
            self._records.note, self._operation(nested.resource), shown, run=self._work.operation
        )

    def _errors(self, plan: Plan, *, within: str) -> list[ArmError]:
        """Return what has failed in a deployment, those in it with what has failed in them."""
        own = [
            self._failures[step.key]
            for step in plan.steps
            if step.key in self._failures and step.resource.within == within
        ]
        inside = [
            (nested.resource.id, self._errors(plan, within=nested.resource.id))
            for nested in plan.deployment.nested
            if nested.resource.within == within
        ]
        return own + [failed(parse(address(one)), errors) for one, errors in inside if errors]

    def _unknown(self, step: Step) -> ArmError:
        paths = ", ".join(sorted(step.resource.open_paths))
        return ArmError(
            400,
            "InvalidTemplate",
            f"Unable to process template language expressions for resource '{step.path}': {paths} refers to "
            "what is not there.",
            target=step.path,
            details=self._facts.missing(),
        )

    def _owner(self, resource: Resource) -> ResourceId:
        return parse(address(resource.within)) if resource.within else self._deployment

    def _operation(self, resource: Resource) -> ResourceId:
        return operation_id(self._owner(resource), self._work.operation, address(resource.id))


def _given_back(outputs: Mapping[str, Any], open_names: Iterable[str]) -> dict[str, Any]:
    """Return outputs as they are shown.

    :raises ArmError: one has no value, or one that no JSON has.
    """
    wrong = sorted(open_names)
    for name, output in outputs.items():
        try:
            json.dumps(output, ensure_ascii=False, allow_nan=False).encode()
        except ValueError:
            wrong.append(name)
    if wrong:
        raise ArmError(
            400,
            "DeploymentOutputEvaluationFailed",
            f"Unable to evaluate template outputs: '{', '.join(wrong)}'. They refer to what is not there, or "
            "are no JSON.",
        )
    return shapes.typed(outputs)
