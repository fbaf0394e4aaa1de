"""Image templates: made, changed, shown, listed, removed (reference §1, §6, §15)."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.access.caller import Caller
from vmwright.arm.checks import check_stays, find_group, find_group_to_write, location_of, tags_of
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION, Route
from vmwright.arm.ids import ResourceId
from vmwright.arm.operations import Status, accepted, created
from vmwright.arm.paging import page
from vmwright.arm.providers.image_templates import bodies, identities, links, patching, shapes, staging
from vmwright.arm.providers.image_templates.addresses import located_run
from vmwright.arm.providers.image_templates.deletion import DELETE
from vmwright.arm.providers.image_templates.faults import ProvisioningError
from vmwright.arm.providers.image_templates.names import (
    NAMESPACE,
    TEMPLATE,
    TEMPLATE_TYPE,
    check_name,
    check_version,
    get_template,
    missing,
    template_id,
)
from vmwright.arm.providers.image_templates.provisioning import WRITE
from vmwright.arm.providers.image_templates.runs import check_allowed, newest
from vmwright.arm.providers.image_templates.states import Action, ProvisioningState, check
from vmwright.errors import VmwrightError
from vmwright.runs.newest import newest_runs
from vmwright.template.writing import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.access.decisions import Decisions
    from vmwright.arm.background import Background
    from vmwright.arm.http.call import Call
    from vmwright.arm.operations import Operation
    from vmwright.arm.providers.image_templates.deletion import Deletion
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource
    from vmwright.runs.newest import NewestRun

UPDATE = "imageTemplates/update"
UPDATED = 200


def routes(
    service: Service, background: Background, deletion: Deletion, decisions: Decisions
) -> Iterator[Route]:
    """Give the ways to templates."""

    async def caller(call: Call) -> Caller:
        return Caller(call.principal, await decisions.grants())

    async def put(call: Call) -> Answer:
        written, answer = await asyncio.to_thread(_put, call, service, await caller(call))
        background.begin(written)
        return answer

    async def get(call: Call) -> Answer:
        return await asyncio.to_thread(_get, call, service)

    async def patch(call: Call) -> Answer:
        return await asyncio.to_thread(_patch, call, service, await caller(call))

    async def delete(call: Call) -> Answer:
        operation = await asyncio.to_thread(_begin_delete, call, service)
        if operation is None:
            return Answer(status=204)
        await _delete(operation, service, deletion)
        return accepted(operation, call, NAMESPACE)

    async def list_(call: Call) -> Answer:
        return await asyncio.to_thread(_list, call, service)

    yield Route(method="PUT", pattern=TEMPLATE, handler=put)
    yield Route(method="GET", pattern=TEMPLATE, handler=get)
    yield Route(method="PATCH", pattern=TEMPLATE, handler=patch)
    yield Route(method="DELETE", pattern=TEMPLATE, handler=delete)
    yield Route(method="GET", pattern=f"{GROUP}/providers/{TEMPLATE_TYPE}", handler=list_)
    yield Route(method="GET", pattern=f"{SUBSCRIPTION}/providers/{TEMPLATE_TYPE}", handler=list_)


def _put(call: Call, service: Service, caller: Caller) -> tuple[Operation, Answer]:
    """Write a template, or another one in its place, and return the operation that provisions it."""
    version, wanted = check_version(call), template_id(call)
    check_name(wanted.name)
    document = call.document()
    find_group_to_write(service.store, wanted.subscription, wanted.group)
    sent = bodies.read_sent(document, version=version, name=wanted.name)
    location_of(said(sent), TEMPLATE_TYPE)
    links.check(said(sent), wanted, service, caller)
    there = service.store.find(wanted)
    state = ProvisioningState.CREATING if there is None else ProvisioningState.UPDATING
    kept = shapes.kept(sent, state)
    moves = there is not None and not _keep_staging(kept, there)
    operation = service.operations.begin(
        WRITE, wanted, location=kept["location"], correlation_id=call.correlation_id
    )

    def check_there(now: Resource | None) -> None:
        if now is None:
            return
        check(Action.WRITE, _state_of(now), None)
        check_stays(now, kept["location"])

    try:
        resource, is_new = service.store.put(
            wanted,
            kind=TEMPLATE_TYPE,
            location=kept["location"],
            body={name: kept[name] for name in ("identity", "properties") if name in kept},
            tags=tags_of(kept),
            api_version=version,
            principal=call.principal.id,
            check=check_there,
        )
    except ArmError as error:
        service.operations.end(operation.id, Status.FAILED, error)
        raise
    if there is not None and moves:
        staging.remove(service.store, there)
    answer = created(operation, call, NAMESPACE, _shown(resource, call, newest(resource, service)))
    return operation, answer if is_new else dataclasses.replace(answer, status=UPDATED)


def _get(call: Call, service: Service) -> Answer:
    check_version(call)
    resource = get_template(service.store, template_id(call))
    return ok(_shown(resource, call, newest(resource, service)))


def _list(call: Call, service: Service) -> Answer:
    check_version(call)
    scope = ResourceId(call.names["subscription"], call.names.get("group", ""))
    if scope.group:
        find_group(service.store, scope.subscription, scope.group)
    runs: dict[str, NewestRun] = {}

    def found(after: str, most: int) -> list[Resource]:
        resources = service.store.find_all(
            kind=TEMPLATE_TYPE,
            subscription=scope.subscription,
            group=scope.group or None,
            after=after,
            most=most,
        )
        runs.update(newest_runs(service.database, (resource.id for resource in resources)))
        return resources

    def shown(resource: Resource) -> dict[str, Any]:
        run = runs.get(resource.id.lower())
        return _shown(resource, call, run if run and run.started_at >= resource.created_at else None)

    return page(call, found, shown)


def _patch(call: Call, service: Service, caller: Caller) -> Answer:
    version, wanted = check_version(call), template_id(call)
    patch = call.document()
    get_template(service.store, wanted)

    def revise(resource: Resource) -> dict[str, Any]:
        check(Action.WRITE, _state_of(resource), None)
        return _patched(resource, patch, version, service, caller)

    resource = service.store.revise(wanted, revise)
    if resource is None:
        raise missing(wanted)
    operation = service.operations.begin(UPDATE, ids.parse(resource.id), location=resource.location)
    service.operations.end(operation.id, Status.SUCCEEDED)
    return accepted(operation, call, NAMESPACE)


def _patched(
    resource: Resource, patch: dict[str, Any], version: str, service: Service, caller: Caller
) -> dict[str, Any]:
    """Return the columns of a template with a patch in it."""
    reading = patching.reading_version(patch, asked=version, written=resource.api_version)
    before = shapes.body_of(dataclasses.replace(resource, api_version=reading))
    sent = bodies.read_sent(patching.patched(before, patch, version), version=reading, name=resource.name)
    links.check(said(sent), ids.parse(resource.id), service, caller, before=resource.body)
    after = shapes.kept(sent, _state_of(resource))
    changed = {name: after["properties"][name] for name in patch.get("properties") or ()}
    properties = {**resource.properties, **changed}
    body = copy.deepcopy({**resource.body, "properties": properties})
    if "identity" in patch:
        body["identity"] = after["identity"]
    if "identity" in patch or "vmProfile" in (patch.get("properties") or ()):
        _identify(body, service)
    return {"tags": tags_of(after), "body": body, "api_version": reading}


def _identify(body: dict[str, Any], service: Service) -> None:
    """Find the identities that a patched template names.

    :raises ArmError: one is not there.
    """
    assigned = body.get("identity", {}).get(identities.ASSIGNED, {})
    of_vm = body["properties"].get("vmProfile", {}).get(identities.ASSIGNED, [])
    try:
        identities.fill(body, identities.look_up([*assigned, *of_vm], service))
    except ProvisioningError as fault:
        raise fault.as_error() from fault


def _begin_delete(call: Call, service: Service) -> Operation | None:
    check_version(call)
    resource = service.store.find(template_id(call))
    if resource is None:
        return None
    check_allowed(Action.DELETE, resource, service)
    return service.operations.begin(DELETE, ids.parse(resource.id), location=resource.location)


async def _delete(operation: Operation, service: Service, deletion: Deletion) -> None:
    """Delete a template while its client waits; where the service ends meanwhile, its next start goes on."""
    status, told = Status.SUCCEEDED, None
    try:
        await deletion.carry_out(operation)
    except VmwrightError as error:
        status, told = Status.FAILED, ArmError(409, error.code, error.message)
    await asyncio.to_thread(service.operations.end, operation.id, status, told)


def _shown(resource: Resource, call: Call, run: NewestRun | None) -> dict[str, Any]:
    return shapes.shown(resource, call.api_version, located_run(run, resource, call.base_url))


def _state_of(resource: Resource) -> ProvisioningState:
    return ProvisioningState(resource.properties["provisioningState"])


def _keep_staging(kept: dict[str, Any], there: Resource) -> bool:
    """Let a template that is written again keep its staging group; False where it names another one now."""
    before, after = there.properties, kept["properties"]
    if before["stagingResourceGroup"].lower() != after["stagingResourceGroup"].lower():
        return False
    after["exactStagingResourceGroup"] = before["exactStagingResourceGroup"]
    return True
