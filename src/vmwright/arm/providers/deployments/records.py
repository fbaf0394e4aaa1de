"""Deployments as they are kept: what they show, and what they go on with after a restart of the service.

A deployment is a resource, and each of its operations one in it. What goes on with it (values of parameters,
for whom) is in it as long as it runs; the template stays.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vmwright.arm.access.principal import Principal
from vmwright.arm.dispatcher import Asker
from vmwright.arm.http.errors import ArmError
from vmwright.arm.ids import parse
from vmwright.arm.providers.deployments import parsing
from vmwright.arm.providers.deployments.places import OPERATION_TYPE, TYPE
from vmwright.arm.providers.deployments.planning import Source
from vmwright.template.deployment import Given, Scope
from vmwright.template.document import plain_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.ids import ResourceId
    from vmwright.arm.store import Resource, ResourceStore
    from vmwright.template.document import Object

ACCEPTED, RUNNING, SUCCEEDED, FAILED, CANCELED = "Accepted", "Running", "Succeeded", "Failed", "Canceled"
ACTIVE = frozenset({ACCEPTED, RUNNING})
VERSION = "2024-11-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a deployment goes on with; ``operation`` is the one that began it."""

    operation: str
    source: Source
    asker: Asker


class Records:
    """The deployments of a service; each method is one transaction."""

    def __init__(self, store: ResourceStore) -> None:
        self._store = store

    def begin(
        self,
        deployment: ResourceId,
        work: Work,
        properties: Mapping[str, Any],
        *,
        location: str,
        tags: Mapping[str, str],
        api_version: str,
    ) -> tuple[Resource, bool]:
        """Keep a deployment that is to be carried out, in the place of one of its name that has ended.

        :returns: it, and whether it is new.
        :raises ArmError: one of its name is being carried out.
        """

        return self._store.put(
            deployment,
            kind=TYPE,
            location=location,
            body={"properties": dict(properties), "work": _kept(work)},
            tags=tags,
            api_version=api_version,
            principal=work.asker.principal.id,
            check=_check_ended,
        )

    def keep_nested(
        self, deployment: ResourceId, work: Work, template: Object, properties: Mapping[str, Any]
    ) -> None:
        """Keep a deployment that was carried out as part of another one."""

        self._store.put(
            deployment,
            kind=TYPE,
            location=work.source.scope.location,
            body={
                "properties": dict(properties),
                "work": {
                    "operation": work.operation,
                    "template": plain_object(template),
                    "now": work.source.now.isoformat(),
                },
            },
            tags={},
            api_version=VERSION,
            principal=work.asker.principal.id,
            check=_check_ended,
        )

    def find(self, deployment: ResourceId) -> Resource | None:
        """Return a deployment, None where there is none."""
        return self._store.find(deployment)

    def find_all(self, scope: ResourceId) -> list[Resource]:
        """Return the deployments to a resource group, or to a subscription itself."""
        found = self._store.find_all(kind=TYPE, subscription=scope.subscription, group=scope.group or None)
        depth = len(str(scope).split("/"))
        return [one for one in found if one.id.split("/")[depth : depth + 1] == ["providers"]]

    def change(self, deployment: ResourceId, operation: str, **properties: object) -> bool:
        """Change properties of a deployment that goes on; False where it has ended, or is another one now."""
        return self._change(deployment, operation, properties, has_ended=False)

    def end(self, deployment: ResourceId, operation: str, **properties: object) -> bool:
        """Change properties of a deployment at its end, and keep no longer what it goes on with."""
        return self._change(deployment, operation, properties, has_ended=True)

    def _change(
        self, deployment: ResourceId, operation: str, properties: Mapping[str, object], *, has_ended: bool
    ) -> bool:
        is_its = False

        def revised(there: Resource) -> dict[str, object]:
            nonlocal is_its
            is_its = is_active(there, operation)
            if not is_its:
                return {}
            work = there.body["work"]
            kept = {name: work[name] for name in ("operation", "template", "now")} if has_ended else work
            changed = {**there.properties, **properties, "timestamp": now()}
            changed["duration"] = duration(_began(there))
            return {"body": {"properties": changed, "work": kept}}

        self._store.revise(deployment, revised)
        return is_its

    def remove(self, deployment: ResourceId) -> bool:
        """Remove a deployment and its operations; False where there is none."""
        return self._store.remove(deployment)

    def operations(self, deployment: ResourceId) -> list[Resource]:
        """Return what a deployment has done, the newest first."""
        found = [one for one in self._store.children(deployment) if one.type == OPERATION_TYPE]
        return sorted(found, key=lambda one: one.changed_at, reverse=True)

    def forget(self, deployment: ResourceId, run: str) -> None:
        """Remove the operations of another deployment that had the name of this one before."""
        for one in self.operations(deployment):
            if one.body["run"] != run:
                self._store.remove(parse(one.id))

    def operation(self, operation: ResourceId) -> Resource | None:
        """Return one of them, None where there is none."""
        found = self._store.find(operation)
        return found if found and found.type == OPERATION_TYPE else None

    def note(self, operation: ResourceId, properties: Mapping[str, Any], *, run: str, poll: str = "") -> None:
        """Keep how far an operation is.

        :param run: what began the deployment.
        :param poll: where it is asked how the operation goes, "" where that is not known or over.
        """
        self._store.put(
            operation,
            kind=OPERATION_TYPE,
            location="",
            body={"properties": dict(properties), "run": run, "poll": poll},
            tags={},
            api_version=VERSION,
            principal="",
        )


def _check_ended(there: Resource | None) -> None:
    if there is not None and state_of(there) in ACTIVE:
        raise active(there)


def state_of(deployment: Resource) -> str:
    """Return the state of a deployment."""
    return str(deployment.properties["provisioningState"])


def is_active(deployment: Resource, operation: str) -> bool:
    """Tell whether a deployment is that of an operation, and has not ended."""
    return deployment.body["work"]["operation"] == operation and state_of(deployment) in ACTIVE


def active(deployment: Resource) -> ArmError:
    """Return the error of a deployment that cannot be changed because it is being carried out."""
    return ArmError(
        409,
        "DeploymentActive",
        f"Unable to edit or replace deployment '{deployment.name}': previous deployment from "
        f"'{deployment.properties['timestamp']}' is still active. Wait for its end, or cancel it. Please see "
        "https://aka.ms/arm-deploy for usage details.",
        is_gateways=True,
    )


def work_of(deployment: Resource) -> Work:
    """Return what a deployment goes on with.

    :raises ArmError: it cannot be read any more.
    """
    kept = deployment.body["work"]
    principal = {**kept["principal"], "roles": tuple(kept["principal"]["roles"])}
    return Work(
        operation=kept["operation"],
        source=Source(
            template=parsing.tree_of(kept["template"]),
            given={name: Given(value, "the parameters of the deployment") for name, value in kept["given"]},
            scope=Scope(**kept["scope"]),
            now=datetime.fromisoformat(kept["now"]),
            seed=kept["seed"],
        ),
        asker=Asker(
            principal=Principal(**principal),
            base_url=kept["baseUrl"],
            correlation_id=kept["correlationId"],
        ),
    )


def _kept(work: Work) -> dict[str, Any]:
    return {
        "operation": work.operation,
        "template": plain_object(work.source.template),
        "given": [[name, given.value] for name, given in work.source.given.items()],
        "scope": dataclasses.asdict(work.source.scope),
        "now": work.source.now.isoformat(),
        "seed": work.source.seed,
        "principal": dataclasses.asdict(work.asker.principal),
        "baseUrl": work.asker.base_url,
        "correlationId": work.asker.correlation_id,
    }


def _began(deployment: Resource) -> datetime:
    return datetime.fromisoformat(deployment.body["work"]["now"])


def now() -> str:
    """Return the time as a deployment tells it."""
    return written(datetime.now(UTC))


def written(at: datetime) -> str:
    """Return a point in time as a deployment tells it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def duration(since: datetime) -> str:
    """Return the time since then, as ISO 8601 writes it."""
    seconds = max((datetime.now(UTC) - since.astimezone(UTC)).total_seconds(), 0.0)
    return f"PT{seconds:.7f}S"
