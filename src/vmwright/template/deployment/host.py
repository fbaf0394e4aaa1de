"""What only the place of a deployment knows: subscription, resource group, clock, what runs already."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError
from vmwright.template.placeholders import GROUP, REGIONS, SUBSCRIPTION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vmwright.template.deployment.values import Value

# What --set may name; the placeholders of the public samples have the same names.
SUBSCRIPTION_NAMES = ("subscriptionid", "subscription")
GROUP_NAMES = ("resourcegroup", "resourcegroupname", "rgname")
LOCATION_NAMES = ("location", "region")
TENANT_NAMES = ("tenantid",)
DEPLOYMENT_NAMES = ("deploymentname",)
SCOPE_NAMES = (
    *SUBSCRIPTION_NAMES,
    *GROUP_NAMES,
    *LOCATION_NAMES,
    *TENANT_NAMES,
    *DEPLOYMENT_NAMES,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a deployment goes; names and ids as ARM writes them.

    ``resource_group`` is "" for one that goes to a subscription; ``location`` and ``tags`` are the group's,
    the location "" where that is not known yet.
    """

    subscription_id: str = SUBSCRIPTION
    resource_group: str = GROUP
    location: str = REGIONS["location"]
    tenant_id: str = SUBSCRIPTION
    deployment: str = "deployment"
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def group_id(self) -> str:
        """The resource group's id."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"


class Host(Protocol):
    """The seam to whoever deploys: the command line here, the service over HTTP."""

    @property
    def scope(self) -> Scope:
        """Where the deployment goes."""

    @property
    def now(self) -> datetime:
        """The one time of this deployment, in UTC."""

    @property
    def is_partial(self) -> bool:
        """Whether only image templates and galleries are made: of others, values may stay unknown."""

    def at(self, scope: Scope) -> Host:
        """Return the host of a nested deployment, which goes elsewhere."""

    def new_guid(self) -> str:
        """Return a new GUID."""

    def reference(self, resource_id: str, *, version: str, full: bool) -> Value:
        """Return the properties (``full``: all) of a resource that is not in the template.

        :param version: the api-version that is asked for, "" for any.
        :raises FaultError: it is not known.
        :raises OpenValueError: it is not known yet.
        """

    def made(self, resource_id: str, *, full: bool) -> Value:
        """Return the same of a resource of the template; None where what the template says of it counts.

        :raises OpenValueError: it is not made yet.
        """

    def listing(self, function: str, arguments: Sequence[Value]) -> Value:
        """Return what a function ``list...`` gives.

        :raises FaultError: it is not known.
        """


@dataclass(frozen=True, slots=True)
class LocalHost:
    """The command line: nothing runs already, and everything goes into one resource group."""

    scope: Scope = field(default_factory=Scope)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_partial(self) -> bool:
        """Make image templates and galleries only."""
        return True

    def at(self, scope: Scope) -> LocalHost:
        """Return the same host for another scope."""
        return dataclasses.replace(self, scope=scope)

    def new_guid(self) -> str:
        """Return a random GUID."""
        return str(uuid.uuid4())

    def reference(self, resource_id: str, *, version: str, full: bool) -> Value:  # noqa: ARG002 - as a Host
        """Know nothing of resources that are not in the template."""
        asked = "" if full else "the properties of "
        raise runtime(
            f"reference() asks for {asked}the resource `{resource_id}`, which is not in this template"
        )

    def made(self, resource_id: str, *, full: bool) -> Value:  # noqa: ARG002
        """Make nothing while a template is evaluated."""
        return None

    def listing(self, function: str, arguments: Sequence[Value]) -> Value:
        """Know no keys and no SAS."""
        of = f" of `{arguments[0]}`" if arguments else ""
        raise runtime(f"{function}(){of} asks Azure")


def runtime(what: str) -> FaultError:
    """Return the fault of a value that only Azure knows."""
    hint = "take the value from a parameter, and give it with --set or --parameters"
    return FaultError(f"{what}: only Azure knows it.", rule=Rule.ARM_RUNTIME, hint=hint)


def scope_of(values: Mapping[str, str], *, name: str) -> Scope:
    """Return the scope that ``--set`` names; what it leaves out has the defaults of the placeholders."""
    given = {key.strip("<> ").casefold(): value for key, value in values.items()}

    def first(names: Sequence[str], default: str) -> str:
        return next((given[one] for one in names if given.get(one)), default)

    return Scope(
        subscription_id=first(SUBSCRIPTION_NAMES, SUBSCRIPTION),
        resource_group=first(GROUP_NAMES, GROUP),
        location=first(LOCATION_NAMES, REGIONS["location"]),
        tenant_id=first(TENANT_NAMES, SUBSCRIPTION),
        deployment=first(DEPLOYMENT_NAMES, name),
    )
