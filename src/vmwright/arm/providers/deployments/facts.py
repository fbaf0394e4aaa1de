"""What is known of resources while a template is evaluated, and who is asked for what is not."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.deployments.places import address
from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError, OpenValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from vmwright.template.deployment import Scope
    from vmwright.template.deployment.values import Value

SUBSCRIPTIONS = "/subscriptions/"


@dataclass(frozen=True, slots=True)
class Question:
    """A resource that a template refers to, by its address; ``version`` is an api-version, "" for any."""

    address: str
    version: str = ""


@dataclass(slots=True)
class Facts:
    """Resources as they were when they were asked for, by their addresses in lower case.

    ``made`` are those of the template that are there now; ``found`` others, with the error where there is
    none. ``asked`` is what an evaluation would know besides.
    """

    made: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    found: dict[Question, Mapping[str, Any] | ArmError] = field(default_factory=dict)
    asked: dict[Question, None] = field(default_factory=dict)

    def forget_missing(self) -> None:
        """Ask again for what was not there."""
        self.found = {one: fact for one, fact in self.found.items() if not isinstance(fact, ArmError)}

    def missing(self) -> list[ArmError]:
        """Return why some are not known."""
        return [fact for fact in self.found.values() if isinstance(fact, ArmError)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowingHost:
    """The service, as the expressions of a template see it: what is not known yet is asked for, and open.

    :param seed: what new GUIDs are made of: they are the same ones when a template is evaluated again.
    """

    scope: Scope
    now: datetime
    seed: str
    facts: Facts
    numbers: list[int] = field(default_factory=lambda: [0])

    @property
    def is_partial(self) -> bool:
        """Make all that a template names."""
        return False

    def at(self, scope: Scope) -> KnowingHost:
        """Return the host of a nested deployment; its group may be another one."""
        if scope.resource_group and scope.group_id.lower() != self.scope.group_id.lower():
            group = self._group(scope.group_id) or {"location": ""}
            tags = group.get("tags") or {}
            scope = dataclasses.replace(scope, location=group["location"], tags=tags)
        return dataclasses.replace(self, scope=scope)

    def _group(self, group_id: str) -> Mapping[str, Any] | None:
        """Return what is known of a resource group."""
        if made := self.facts.made.get(group_id.lower()):
            return made
        question = Question(group_id)
        known = self.facts.found.get(question)
        if known is None:
            self.facts.asked.setdefault(question)
        return None if isinstance(known, ArmError) else known

    def new_guid(self) -> str:
        """Return a GUID that no other deployment has."""
        self.numbers[0] += 1
        return str(uuid.uuid5(uuid.UUID(self.seed), str(self.numbers[0])))

    def reference(self, resource_id: str, *, version: str, full: bool) -> Value:
        """Return what is known of a resource that is not in the template.

        :raises FaultError: that is no resource's id.
        :raises OpenValueError: it is not known.
        """
        if not resource_id.lower().startswith(SUBSCRIPTIONS):
            raise FaultError(
                f"reference(): the resource `{resource_id[:200]}` is not defined in the template.",
                rule=Rule.ARM_NAME_UNKNOWN,
                hint="a resource that is there already is named by its whole id",
            )
        question = Question(address(resource_id), version)
        known = self.facts.found.get(question)
        if known is None:
            self.facts.asked.setdefault(question)
            raise OpenValueError
        if isinstance(known, ArmError):
            raise OpenValueError
        return _referred(known, full=full)

    def made(self, resource_id: str, *, full: bool) -> Value:
        """Return what is known of a resource of the template.

        :raises OpenValueError: it is not made yet.
        """
        known = self.facts.made.get(address(resource_id).lower())
        if known is None:
            raise OpenValueError
        return _referred(known, full=full)

    def listing(self, function: str, arguments: Sequence[Value]) -> Value:
        """Know no keys and no signatures."""
        of = f" of `{arguments[0]}`" if arguments else ""
        raise FaultError(f"{function}(){of}: this service has no keys, secrets or signatures to list.")


def _referred(known: Mapping[str, Any], *, full: bool) -> Value:
    properties = known.get("properties") or {}
    if not full:
        return dict(properties)
    parts = str(known.get("id", "")).split("/")
    more = {"resourceId": known.get("id", "")}
    more |= dict(zip(("subscriptionId", "resourceGroupName"), parts[2:5:2], strict=False))
    return {**known, **more, "properties": properties}
