"""Builds of templates: asked for, shown, cancelled (reference §6.2, §6.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.http.answer import Answer
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route
from vmwright.arm.operations import Status, accepted
from vmwright.arm.providers.image_templates import bodies, shapes
from vmwright.arm.providers.image_templates.names import (
    NAMESPACE,
    TEMPLATE,
    check_version,
    get_template,
    template_id,
)
from vmwright.arm.providers.image_templates.states import Action, ProvisioningState, check, refusal
from vmwright.runs.newest import find_build, newest_run
from vmwright.runs.queue import CancelAnswer, ask_cancel
from vmwright.runs.request import BuildRequest
from vmwright.runs.states import RunState
from vmwright.runs.submission import record_refused, submit_alone
from vmwright.runs.waking import wake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.http.call import Call
    from vmwright.arm.operations import Operation
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource
    from vmwright.runs.newest import NewestRun

RUN = "imageTemplates/run"
STEP_FAILED = "During the image build a failure has occurred"


def routes(service: Service) -> Iterator[Route]:
    """Give the ways to run and to cancel."""

    async def run(call: Call) -> Answer:
        return await asyncio.to_thread(_run, call, service)

    async def cancel(call: Call) -> Answer:
        return await asyncio.to_thread(_cancel, call, service)

    yield Route(method="POST", pattern=f"{TEMPLATE}/run", handler=run)
    yield Route(method="POST", pattern=f"{TEMPLATE}/cancel", handler=cancel)


def newest(resource: Resource, service: Service) -> NewestRun | None:
    """Return the newest build of a template; those of an earlier template of its id do not count."""
    return newest_run(service.database, resource.id, since=resource.created_at)


def check_allowed(action: Action, resource: Resource, service: Service) -> None:
    """Check that a template allows an action now.

    :raises ArmError: it does not.
    """
    run = newest(resource, service)
    check(action, ProvisioningState(resource.properties["provisioningState"]), run.state if run else None)


def submit(resource: Resource, service: Service, *, correlation_id: str = "") -> str | None:
    """Put a build of a template into the queue and return its id; None where one has not ended.

    A template that this version does not build has a build that has failed already, which says why.

    :param correlation_id: of the request that asks for it.
    :raises ArmError: the template cannot be read any more.
    """
    template, unsupported = bodies.read_kept(
        shapes.body_of(resource), version=resource.api_version, name=resource.name
    )
    request = BuildRequest(
        template=template,
        name=resource.name,
        machine=service.settings.machine,
        makes_galleries=False,
        template_id=resource.id,
        uses_cache=service.settings.cache.service,
    )
    if unsupported:
        return record_refused(request, service.database, unsupported, correlation_id=correlation_id)
    return submit_alone(request, service.database, correlation_id=correlation_id)


def settled(operation: Operation, service: Service) -> Operation:
    """Return the operation of a run as its build is now; once that has ended, it is recorded."""
    if operation.build_id is None or operation.status is not Status.IN_PROGRESS:
        return operation
    build = find_build(service.database, operation.build_id)
    if build is not None and build.ended_at is None:
        return operation
    status, error = _outcome(build)
    service.operations.end(operation.id, status, error)
    return service.operations.find(operation.id) or operation


def _run(call: Call, service: Service) -> Answer:
    check_version(call)
    wanted = template_id(call)
    resource = get_template(service.store, wanted)
    check_allowed(Action.RUN, resource, service)
    build_id = submit(resource, service, correlation_id=call.correlation_id)
    if build_id is None:  # somebody was faster
        raise refusal(Action.RUN, ProvisioningState.SUCCEEDED, RunState.RUNNING)
    operation = service.operations.begin(
        RUN,
        ids.parse(resource.id),
        location=resource.location,
        build_id=build_id,
        correlation_id=call.correlation_id,
    )
    return accepted(operation, call, NAMESPACE)


def _cancel(call: Call, service: Service) -> Answer:
    check_version(call)
    resource = get_template(service.store, template_id(call))
    run = newest(resource, service)
    state = ProvisioningState(resource.properties["provisioningState"])
    if run is None:
        raise refusal(Action.CANCEL, state, None)
    check(Action.CANCEL, state, run.state)
    if ask_cancel(service.database, run.build_id) is CancelAnswer.ENDED:
        raise refusal(Action.CANCEL, state, run.state)
    wake(service.database, run.build_id)
    return Answer(status=204)


def _outcome(build: NewestRun | None) -> tuple[Status, ArmError | None]:
    """Return how the operation of a build has ended; some outputs only are a failure that is told."""
    if build is None:
        return Status.FAILED, ArmError(404, "InternalOperationError", "The build's record is gone.")
    match build.state:
        case RunState.SUCCEEDED:
            return Status.SUCCEEDED, None
        case RunState.CANCELED:
            return Status.CANCELED, ArmError(409, "Canceled", build.message or "The build was cancelled.")
        case _:
            code = "PackerBuildFailed" if build.message.startswith(STEP_FAILED) else "InternalOperationError"
            return Status.FAILED, ArmError(500, code, build.message)
