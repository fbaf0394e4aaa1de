"""The asynchronous part of PUT: what a template names is looked for, fetched and verified (reference §6.1).

What it does bears being done again: a service that starts goes on with the operations that are open.
"""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from vmwright.arm import ids
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.image_templates import bodies, identities, runs, shapes, staging
from vmwright.arm.providers.image_templates.destinations import check_destinations
from vmwright.arm.providers.image_templates.faults import OTHER, ProvisioningError
from vmwright.arm.providers.image_templates.finding import Found
from vmwright.arm.providers.image_templates.states import ProvisioningState
from vmwright.arm.providers.image_templates.subnets import check_subnet
from vmwright.arm.scratch import scratch
from vmwright.downloads import Downloader, Origin
from vmwright.errors import TemplateError, VmwrightError
from vmwright.events import Events
from vmwright.runs.secrets import secrets_of
from vmwright.sources.checking import check_against

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmwright.arm.operations import Operation
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource
    from vmwright.artifacts.facts import ImageFacts
    from vmwright.template.model import Template

WRITE = "imageTemplates/write"
SERVER_ERROR, INTERNAL = "ServerError", "InternalOperationError"
DEFECT = ProvisioningError(
    SERVER_ERROR, "Internal error occurred. This is a defect of vmwright: please report it.", code=INTERNAL
)


class FindSource(Protocol):
    """What finds the source of a template: ``finding.find_source``."""

    async def __call__(self, template: Template, service: Service, /) -> Found:
        """Return what it is now.

        :raises ProvisioningError: there is no such source.
        """


class Provisioning:
    """The work behind the operations that write templates."""

    def __init__(self, service: Service, find: FindSource) -> None:
        self._service = service
        self._find = find

    async def carry_out(self, operation: Operation) -> None:
        """Provision the template of an operation, and start a build where it says so.

        :raises ArmError: that has failed; the template tells the same.
        """
        service, wanted = self._service, ids.parse(operation.resource_id)
        resource = await asyncio.to_thread(service.store.find, wanted)
        if resource is None:
            raise ArmError(404, "ResourceNotFound", "The template was not written.")
        result = _Result(resource)
        try:
            await self._fill(result, operation)
        except ProvisioningError as error:
            await self._fail(result, error)
        except VmwrightError as error:
            await self._fail(result, ProvisioningError.of(error))
        except OSError as error:
            told = f"{error.strerror or error}: {error.filename or 'this host'}"
            await self._fail(result, ProvisioningError(SERVER_ERROR, told, code=INTERNAL))
        except Exception:
            await asyncio.to_thread(service.store.revise, wanted, result.revising(DEFECT))
            raise
        await asyncio.to_thread(self._succeed, result, operation)

    async def _fail(self, result: _Result, error: ProvisioningError) -> NoReturn:
        wanted = ids.parse(result.resource.id)
        await asyncio.to_thread(self._service.store.revise, wanted, result.revising(error))
        raise error.as_error() from error

    def _succeed(self, result: _Result, operation: Operation) -> None:
        service = self._service
        resource = service.store.revise(ids.parse(operation.resource_id), result.revising(None))
        if resource is None or resource.properties.get("autoRun", {}).get("state") != "Enabled":
            return
        newest = runs.newest(resource, service)
        if newest is None or newest.started_at < operation.started_at:  # a restart may be between
            runs.submit(resource, service, correlation_id=operation.correlation_id)

    async def _fill(self, result: _Result, operation: Operation) -> None:
        """Look for all that the template names.

        :raises ProvisioningError: something is not there, or not as the template says.
        :raises VmwrightError: the same.
        """
        service, resource = self._service, result.resource
        try:
            template, unsupported = bodies.read_kept(
                shapes.body_of(resource), version=resource.api_version, name=resource.name
            )
        except ArmError as error:
            raise ProvisioningError(OTHER, error.message, code=error.code) from error
        # a stream of its own: the service's would remember the secrets of all templates
        events = Events(service.events.say)
        for secret in secrets_of(template):
            events.keep_secret(secret)
        await asyncio.to_thread(self._stage, result, template, operation)
        wanted = (*template.identities, *template.vm_profile.user_assigned_identities)
        result.identities = await asyncio.to_thread(identities.look_up, wanted, service)
        found = await self._source(template, is_built=not unsupported)
        result.exact_version = found.exact_version
        # a template whose network cannot be used shows the exact version of its source all the same
        check_subnet(template, result.resource, service.settings)
        await self._fetch(result, template, events)
        if found.facts:
            _check(template, found.facts)
        await asyncio.to_thread(check_destinations, template, found.facts, service)

    async def _source(self, template: Template, *, is_built: bool) -> Found:
        try:
            return await self._find(template, self._service)
        except ProvisioningError:
            if is_built:
                raise
            return Found()  # a run says that this version does not build it

    def _stage(self, result: _Result, template: Template, operation: Operation) -> None:
        properties = result.resource.properties
        wanted, exact = properties["stagingResourceGroup"], properties["exactStagingResourceGroup"]
        if exact and not wanted and self._service.store.find(ids.parse(exact)):
            return
        try:
            result.staging_group = staging.prepare(
                self._service.store,
                result.resource,
                wanted,
                unique=operation.id,
                tags=template.managed_resource_tags,
            )
        except ArmError as error:
            raise ProvisioningError("BadStagingResourceGroup", error.message) from error

    async def _fetch(self, result: _Result, template: Template, events: Events) -> None:
        """Download scripts and files, to see that they are there and what they are."""
        service = self._service
        downloader = Downloader(service.settings, events, identities=template.identities)
        async with scratch(service) as folder:
            for path, step in shapes.steps(result.resource.properties):
                uri = step.get("scriptUri") or step.get("sourceUri")
                if not uri:
                    continue
                fetched = await downloader.fetch(
                    uri,
                    folder / "file",
                    sha256=step.get("sha256Checksum"),
                    what=f"{step['type']} '{step.get('name', step['type'])}' (properties.{_spoken(path)})",
                    origin=Origin.SERVICE,
                )
                result.checksums[path] = fetched.digest


class _Result:
    """What provisioning a template has found so far."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.exact_version = ""
        self.staging_group = ""
        self.identities: dict[str, dict[str, str]] = {}
        self.checksums: dict[str, str] = {}

    def revising(self, error: ProvisioningError | None) -> Callable[[Resource], dict[str, Any]]:
        """Return what puts all that into the template."""

        def revise(resource: Resource) -> dict[str, Any]:
            body = copy.deepcopy(dict(resource.body))
            properties = body["properties"]
            properties["provisioningState"] = (
                ProvisioningState.FAILED if error else ProvisioningState.SUCCEEDED
            )
            properties.pop("provisioningError", None)
            if error:
                properties["provisioningError"] = error.as_property()
            if self.exact_version and "exactVersion" in properties["source"]:
                properties["source"]["exactVersion"] = self.exact_version
            if self.staging_group:
                properties["exactStagingResourceGroup"] = self.staging_group
            identities.fill(body, self.identities)
            return {"body": {**body, "checksums": self.checksums}}

        return revise


def _check(template: Template, facts: ImageFacts) -> None:
    """Check that the source can be what the template makes of it.

    :raises ProvisioningError: it cannot.
    """
    try:
        check_against(template, facts)
    except TemplateError as error:
        known = ("UnsupportedCustomizerType", "UnsupportedValidatorType")
        code = next((name for name in known if name in error.message), OTHER)
        raise ProvisioningError.of(error, code) from error


def _spoken(path: str) -> str:
    kind, _, index = path.partition("/")
    return f"{kind}[{index}]" if kind == "customize" else f"validate.{kind}[{index}]"
