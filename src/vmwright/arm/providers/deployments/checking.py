"""What is known to be wrong with a deployment before anything of it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vmwright.arm.dispatcher import Request
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.deployments.faults import about
from vmwright.arm.providers.deployments.places import address, check_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from vmwright.arm.dispatcher import Asker, Dispatcher
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.providers.deployments.planning import Plan, Step
    from vmwright.template.deployment import Resource

SCRIPTS = "microsoft.resources/deploymentscripts"


class Preflight(Protocol):
    """Reads the body of a resource of one type without making it."""

    def __call__(self, document: Mapping[str, Any], *, version: str, name: str) -> object:
        """Check a body.

        :raises ArmError: a PUT of it would be refused.
        """


class Checking:
    """Checks plans.

    :param preflights: by types in lower case.
    """

    def __init__(self, dispatcher: Dispatcher, preflights: Mapping[str, Preflight]) -> None:
        self._dispatcher = dispatcher
        self._preflights = preflights

    async def check(self, plan: Plan, deployment: ResourceId, asker: Asker) -> None:
        """Check that all of a plan can be made here, by whom it is made for.

        :raises ArmError: something cannot; the details are all that is.
        """
        errors = []
        for step in plan.steps:
            errors += await self._refused(self._of_step(step, asker))
        for nested in plan.deployment.nested:
            errors += await self._refused(self._of_nested(nested.resource, deployment, asker))
        if errors:
            raise ArmError(
                400,
                "InvalidTemplateDeployment",
                f"The template deployment '{deployment.name}' is not valid according to the validation "
                f"procedure. The tracking id is '{asker.correlation_id}'. See inner errors for details.",
                details=errors,
                is_gateways=True,
            )

    async def _refused(self, checked: Awaitable[None]) -> list[ArmError]:
        try:
            await checked
        except ArmError as error:
            return [error]
        return []

    async def _of_step(self, step: Step, asker: Asker) -> None:
        resource = step.resource
        if resource.name.startswith("["):
            raise ArmError(
                400,
                "InvalidTemplate",
                f"The name of a resource of the type '{resource.type}' is not known before others are made: "
                f"{resource.name[:200]}",
                target=resource.place.path,
            )
        if not self._dispatcher.knows("PUT", step.path):
            raise self._unknown(resource)
        await self._dispatcher.check(Request(method="PUT", path=step.path, api_version=step.version), asker)
        preflight = self._preflights.get(resource.type.lower())
        if preflight is None or step.is_open:
            return
        try:
            preflight(step.body, version=step.version, name=resource.name)
        except ArmError as error:
            raise about(step.path, error, step.secrets) from None

    async def _of_nested(self, nested: Resource, deployment: ResourceId, asker: Asker) -> None:
        check_name(nested.name)
        path = address(nested.id)
        if path.lower() == deployment.key:
            raise ArmError(
                400,
                "InvalidTemplate",
                f"The deployment '{nested.name}' in the template has the name of this one.",
            )
        version = nested.api_version or ""
        await self._dispatcher.check(Request(method="PUT", path=path, api_version=version), asker)

    def _unknown(self, resource: Resource) -> ArmError:
        namespace, _, kind = resource.type.partition("/")
        why = ""
        if resource.type.lower() == SCRIPTS:
            why = " Deployment scripts run in containers of the cloud: run the script where you deploy from."
        return ArmError(
            400,
            "InvalidResourceType",
            f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api version "
            f"'{resource.api_version}'. This service has {', '.join(self._dispatcher.types())}.{why}",
            target=address(resource.id),
        )
