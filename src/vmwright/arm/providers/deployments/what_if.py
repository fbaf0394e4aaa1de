"""What a deployment would do: compared with what is there, and nothing made (azure-clients.md, section 4)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.dispatcher import Request
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.deployments.comparing import deltas
from vmwright.arm.providers.deployments.facts import Facts
from vmwright.arm.providers.deployments.places import RESULT_TYPE, RESULTS
from vmwright.arm.providers.deployments.planning import newest_version
from vmwright.arm.providers.deployments.planning import plan as planned
from vmwright.template.deployment.hiding import hidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.dispatcher import Asker, Dispatcher
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.providers.deployments.planning import Plan, Step
    from vmwright.arm.providers.deployments.records import Work
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource

CREATE, MODIFY, NO_CHANGE, IGNORE, DEPLOY = "Create", "Modify", "NoChange", "Ignore", "Deploy"
IDS_ONLY = "resourceidonly"
CONTENTS = ("before", "after", "delta")
KEPT = timedelta(hours=1)
LIST_VERSION = "2021-04-01"


class WhatIf:
    """Compares plans with what is there; results are kept until they are asked for, an hour at most."""

    def __init__(self, service: Service, dispatcher: Dispatcher) -> None:
        self._store = service.store
        self._subscription = service.subscription
        self._dispatcher = dispatcher

    async def changes(
        self, plan: Plan, deployment: ResourceId, work: Work, *, result_format: str
    ) -> list[dict[str, Any]]:
        """Return what a plan would change, and what it would leave alone.

        What refers to a resource that is there already is compared with the value that it has now.

        :param result_format: ``ResourceIdOnly`` for ids alone.
        """
        if result_format.lower() == IDS_ONLY:
            return [{"resourceId": step.path, "changeType": DEPLOY} for step in plan.steps]
        asker = work.asker
        facts = Facts()
        for step in plan.steps:
            if there := await self._there(step, asker):
                facts.made[step.key] = there
        if any(step.is_open for step in plan.steps):
            plan = await planned(work.source, facts, self._dispatcher, asker)
        found = [_hidden(_change(step, facts.made.get(step.key)), step) for step in plan.steps]
        said = {step.key for step in plan.steps}
        if deployment.group:
            found += [
                {"resourceId": one["id"], "changeType": IGNORE, "before": one, "after": one}
                for one in await self._listed(deployment.parent, asker)
                if one["id"].lower() not in said
            ]
        return found

    def keep(self, deployment: ResourceId, changes: list[dict[str, Any]], asker: Asker) -> ResourceId:
        """Keep a result, and return where."""
        self._forget_old()
        result = deployment.below(RESULTS, str(uuid.uuid4()))
        self._store.put(
            result,
            kind=RESULT_TYPE,
            location="",
            body={"result": {"status": "Succeeded", "properties": {"changes": changes}}},
            tags={},
            api_version=LIST_VERSION,
            principal=asker.principal.id,
        )
        return result

    def find(self, result: ResourceId) -> Resource | None:
        """Return a result that is kept, None where there is none."""
        return self._store.find(result)

    def _forget_old(self) -> None:
        for one in self._store.find_all(kind=RESULT_TYPE, subscription=self._subscription):
            if one.created_at.astimezone(UTC) < datetime.now(UTC) - KEPT:
                self._store.remove(ids.parse(one.id))

    async def _there(self, step: Step, asker: Asker) -> Mapping[str, Any] | None:
        """Return a resource as it is, None where it is not there."""
        request = Request(method="GET", path=step.path, api_version=step.version)
        try:
            answer = await self._dispatcher.ask(request, asker)
        except ArmError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return answer.body if isinstance(answer.body, dict) else {}

    async def _listed(self, group: ResourceId, asker: Asker) -> list[dict[str, Any]]:
        """Return what is in a group, as far as it may be seen."""
        request = Request(method="GET", path=f"{group}/resources", api_version=LIST_VERSION)
        try:
            answer = await self._dispatcher.ask(request, asker)
        except ArmError:
            return []
        values = answer.body.get("value", []) if isinstance(answer.body, dict) else []
        return [{"apiVersion": newest_version(one["id"]), **one} for one in values]


def _change(step: Step, before: Mapping[str, Any] | None) -> dict[str, Any]:
    after = {
        "apiVersion": step.version,
        "id": step.path,
        "name": step.resource.name.rpartition("/")[2],
        "type": step.resource.type,
        **step.body,
    }
    if before is None:
        return {"resourceId": step.path, "changeType": CREATE, "after": after}
    delta = deltas(before, after)
    return {
        "resourceId": step.path,
        "changeType": MODIFY if delta else NO_CHANGE,
        "before": before,
        "after": after,
        **({"delta": delta} if delta else {}),
    }


def _hidden(change: dict[str, Any], step: Step) -> dict[str, Any]:
    """Return a change without secrets; its kind is a word that clients know."""
    return {**change, **{key: hidden(change[key], step.secrets) for key in CONTENTS if key in change}}


def shown(result: Resource) -> dict[str, Any]:
    """Return a result as it is answered."""
    found: dict[str, Any] = result.body["result"]
    return found
