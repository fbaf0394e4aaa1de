"""Triggers of templates: what starts a build by itself (reference §13); `following.py` fires them.

After some builds in a row that have failed, a trigger is deactivated until one succeeds. That follows from
the builds at any time, and the status says so.
"""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids, times
from vmwright.arm.http.answer import Answer, listed, ok
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route
from vmwright.arm.operations import Status, accepted, created
from vmwright.arm.providers.image_templates.names import (
    NAMESPACE,
    TEMPLATE,
    TRIGGER_TYPE,
    TRIGGERS,
    TRIGGERS_SINCE,
    check_name,
    check_version,
    get_template,
    missing,
    shown_id,
    template_id,
)
from vmwright.arm.providers.image_templates.states import ProvisioningState
from vmwright.regions import api_name
from vmwright.runs.newest import last_ended
from vmwright.runs.states import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vmwright.arm.http.call import Call
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource
    from vmwright.runs.newest import NewestRun

WRITE, DELETE = "triggers/write", "triggers/delete"
SOURCE_IMAGE = "SourceImage"
MOST_IN_REGION = 100
LATEST = "latest"
# Azure says "several", and no number.
MOST_FAILURES = 3
TRIGGER = f"{TEMPLATE}/{TRIGGERS}/{{trigger}}"
UPDATED = 200


def routes(service: Service, *, made: Callable[[], None]) -> Iterator[Route]:
    """Give the ways to triggers.

    :param made: is told that there is a new one.
    """

    async def put(call: Call) -> Answer:
        answer = await asyncio.to_thread(_put, call, service)
        made()
        return answer

    async def get(call: Call) -> Answer:
        return await asyncio.to_thread(_get, call, service)

    async def list_(call: Call) -> Answer:
        return await asyncio.to_thread(_list, call, service)

    async def delete(call: Call) -> Answer:
        return await asyncio.to_thread(_delete, call, service)

    yield Route(method="PUT", pattern=TRIGGER, handler=put)
    yield Route(method="GET", pattern=TRIGGER, handler=get)
    yield Route(method="GET", pattern=f"{TEMPLATE}/{TRIGGERS}", handler=list_)
    yield Route(method="DELETE", pattern=TRIGGER, handler=delete)


def _put(call: Call, service: Service) -> Answer:
    check_version(call, since=TRIGGERS_SINCE)
    check_name(call.names["trigger"])
    document = call.document()
    template = get_template(service.store, template_id(call))
    _check_sent(document, template)
    check_template(template)
    wanted = ids.parse(template.id).below(TRIGGERS, call.names["trigger"])
    _check_others(service, template, wanted.key)
    there = service.store.find(wanted)
    trigger, is_new = service.store.put(
        wanted,
        kind=TRIGGER_TYPE,
        location=template.location,
        body={
            **(there.body if there else {}),
            "properties": {
                "kind": SOURCE_IMAGE,
                "provisioningState": ProvisioningState.SUCCEEDED,
                "status": healthy(),
            },
        },
        tags={},
        api_version=call.api_version,
        principal=call.principal.id,
    )
    operation = service.operations.begin(WRITE, wanted, location=template.location)
    service.operations.end(operation.id, Status.SUCCEEDED)
    state = ProvisioningState.CREATING if is_new else ProvisioningState.UPDATING
    begun = {**_shown(trigger, []), "properties": {"kind": SOURCE_IMAGE, "provisioningState": state}}
    answer = created(operation, call, NAMESPACE, begun)
    return answer if is_new else dataclasses.replace(answer, status=UPDATED)


def _get(call: Call, service: Service) -> Answer:
    check_version(call, since=TRIGGERS_SINCE)
    wanted = template_id(call).below(TRIGGERS, call.names["trigger"])
    template = get_template(service.store, template_id(call))
    found = service.store.find(wanted)
    if found is None:
        raise missing(wanted)
    return ok(_shown(found, failures_in_a_row(template, service)))


def _list(call: Call, service: Service) -> Answer:
    check_version(call, since=TRIGGERS_SINCE)
    template = get_template(service.store, template_id(call))
    failed = failures_in_a_row(template, service)
    return listed([_shown(trigger, failed) for trigger in service.store.children(template_id(call))])


def _delete(call: Call, service: Service) -> Answer:
    check_version(call, since=TRIGGERS_SINCE)
    wanted = template_id(call).below(TRIGGERS, call.names["trigger"])
    found = service.store.find(wanted)
    if found is None or not service.store.remove(wanted):
        return Answer(status=204)
    operation = service.operations.begin(DELETE, wanted, location=found.location)
    service.operations.end(operation.id, Status.SUCCEEDED)
    return accepted(operation, call, NAMESPACE)


def failures_in_a_row(template: Resource, service: Service) -> list[NewestRun]:
    """Return the builds that deactivate a template's triggers, the newest first; [] where they are active."""
    ended = last_ended(service.database, template.id, since=template.created_at, most=MOST_FAILURES)
    is_over = len(ended) == MOST_FAILURES and all(run.state is RunState.FAILED for run in ended)
    return ended if is_over else []


def healthy() -> dict[str, str]:
    """Return the status of a trigger that nothing ails."""
    return {"code": "Healthy", "message": "Trigger is active", "time": times.short(datetime.now(UTC))}


def _shown(trigger: Resource, failed: list[NewestRun]) -> dict[str, object]:
    properties = dict(trigger.properties)
    if failed and failed[0].ended_at:
        properties["status"] = {
            "code": "Deactivated",
            "message": f"Trigger is deactivated: the last {len(failed)} builds have failed. A build that is "
            "run by hand and succeeds activates it again.",
            "time": times.short(failed[0].ended_at),
        }
    return {
        "properties": properties,
        "id": shown_id(ids.parse(trigger.id)),
        "name": trigger.name,
        "type": TRIGGER_TYPE,
    }


def _check_sent(document: Mapping[str, Any], template: Resource) -> None:
    properties = document.get("properties")
    kind = properties.get("kind") if isinstance(properties, dict) else None
    if kind != SOURCE_IMAGE:
        raise _refused(
            f"'Trigger.properties': Field 'kind' has a bad value: '{kind or ''}'. Hint: write {SOURCE_IMAGE}."
        )
    location = document.get("location", template.location)
    if not isinstance(location, str) or api_name(location) != api_name(template.location):
        raise _refused(f"the location of a trigger is its template's, {template.location}.")


def check_template(template: Resource) -> None:
    """Check that a template can have a trigger of its source.

    :raises ArmError: it cannot; with what to change.
    """
    properties = template.properties
    if properties["provisioningState"] != ProvisioningState.SUCCEEDED:
        raise ArmError(
            409,
            "Conflict",
            f"A trigger needs a template in provisioningState Succeeded; {template.name} is in "
            f"{properties['provisioningState']}.",
        )
    source = properties["source"]
    if _followed(source) != LATEST:
        raise _refused(
            "the template's source is no one that gets newer. Hint: a PlatformImage with the version latest, "
            "or a gallery image whose id ends with versions/latest."
        )
    for distributor in properties["distribute"]:
        definition, _, version = distributor.get("galleryImageId", "").lower().partition("/versions/")
        name = distributor["runOutputName"]
        if version:
            raise _refused(f"the distributor {name} names the version {version}: each build needs a new one.")
        if definition and source.get("imageVersionId", "").lower().startswith(f"{definition}/versions/"):
            raise _refused(
                f"the distributor {name} writes to the image definition that is the source: each build would "
                "start the next."
            )


def _check_others(service: Service, template: Resource, key: str) -> None:
    """Check that a template has no other trigger of its kind, and its region not too many.

    :raises ArmError: it has.
    """
    owner = ids.parse(template.id)
    if any(trigger.id.lower() != key for trigger in service.store.children(owner)):
        raise _refused(f"the template has a trigger of the kind {SOURCE_IMAGE} already.")
    triggers = service.store.find_all(kind=TRIGGER_TYPE, subscription=owner.subscription)
    there = [one for one in triggers if api_name(one.location) == api_name(template.location)]
    if len(there) >= MOST_IN_REGION and all(one.id.lower() != key for one in there):
        raise ArmError(
            409,
            "QuotaExceeded",
            f"There are {MOST_IN_REGION} triggers in {template.location} already, which is all there may be.",
        )


def _followed(source: Mapping[str, Any]) -> str:
    """Return the version that a source asks for, in lower case; "" where its kind has none."""
    version = source.get("version") or source.get("imageVersionId", "").rpartition("/versions/")[2]
    return str(version).lower()


def _refused(why: str) -> ArmError:
    return ArmError(400, "ValidationFailed", f"Validation failed: {why}")
