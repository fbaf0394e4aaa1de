"""What a deployment makes, in which order: its template, evaluated with what is known of its resources."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.dispatcher import Request
from vmwright.arm.http.errors import ArmError
from vmwright.arm.namespaces import namespaces
from vmwright.arm.providers.deployments.facts import Facts, KnowingHost, Question
from vmwright.arm.providers.deployments.faults import refused
from vmwright.arm.providers.deployments.places import address
from vmwright.template.catalogue import Rule
from vmwright.template.deployment import Scope, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vmwright.arm.dispatcher import Asker, Dispatcher
    from vmwright.template.deployment import Deployment, Given, Resource
    from vmwright.template.deployment.values import Value
    from vmwright.template.document import Object

ANY_VERSION = "2024-11-01"
GROUP_VERSION = "2021-04-01"
# What refers to what is found by what was referred to: a chain this long is nobody's intention.
MOST_ROUNDS = 16
# Said of a template as a whole, not as part of a resource's body.
NOT_IN_BODY = frozenset({"type", "name", "apiversion", "scope"})
WRONG_HERE = frozenset({Rule.ARM_NOT_MADE.code})


@dataclass(frozen=True, slots=True)
class Step:
    """A resource to be made: ``path`` is its id as the service knows it, ``key`` that in lower case.

    ``needs`` are keys; ``secrets`` must not be shown.
    """

    resource: Resource
    path: str
    version: str
    body: Mapping[str, Any]
    needs: frozenset[str]
    secrets: tuple[str, ...]

    @property
    def key(self) -> str:
        """What it is compared by."""
        return self.path.lower()

    @property
    def is_open(self) -> bool:
        """Whether something of it is not known yet."""
        return bool(self.resource.open_paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is evaluated: the same each time that this is done.

    :param seed: a UUID; ``now``: the one time of the deployment.
    """

    template: Object
    given: Mapping[str, Given]
    scope: Scope
    now: datetime
    seed: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A template as far as it can be evaluated; ``steps`` in the order in which they are made."""

    deployment: Deployment
    steps: tuple[Step, ...]


async def plan(source: Source, facts: Facts, dispatcher: Dispatcher, asker: Asker) -> Plan:
    """Evaluate a template, and ask for what it refers to until there is nothing more to ask.

    :raises ArmError: something is wrong with the template.
    """
    for _ in range(MOST_ROUNDS):
        deployment = await asyncio.to_thread(_evaluated, source, facts)
        questions = [one for one in facts.asked if one not in facts.found]
        if not questions:
            steps = (_step(resource, deployment.secrets) for resource in deployment.resources)
            return Plan(deployment, tuple(steps))
        for question in questions:
            facts.found[question] = await _answered(question, dispatcher, asker)
    raise ArmError(400, "InvalidTemplate", "The references of the template lead to others without an end.")


def _evaluated(source: Source, facts: Facts) -> Deployment:
    host = KnowingHost(scope=source.scope, now=source.now, seed=source.seed, facts=facts)
    deployment = evaluate(source.template, host=host, given=source.given, for_build=True)
    unknown = sorted(source.given.keys() - {name.casefold() for name in deployment.parameters})
    if unknown:
        known = ", ".join(deployment.parameters) or "none"
        raise ArmError(
            400,
            "InvalidTemplate",
            f"Deployment template validation failed: 'The template parameters '{', '.join(unknown)}' in the "
            "parameters file are not valid; they are not present in the original template and can therefore "
            "not be provided at deployment time. The only supported parameters for this template are "
            f"'{known}'.'.",
            is_gateways=True,
        )
    wrong = [one for one in deployment.problems if one.is_error or one.code in WRONG_HERE]
    if wrong:
        raise refused(wrong, deployment.secrets)
    return deployment


def _step(resource: Resource, secrets: tuple[str, ...]) -> Step:
    path = address(resource.id)
    body = {
        key: _without_nulls(value)
        for key, value in resource.body.items()
        if key.lower() not in NOT_IN_BODY and value is not None
    }
    return Step(
        resource=resource,
        path=path,
        version=resource.api_version or ANY_VERSION,
        body=body,
        needs=frozenset(address(one).lower() for one in resource.needs),
        secrets=secrets,
    )


def _without_nulls(value: Value) -> Value:
    """Return JSON without keys that are null: templates leave keys out by giving them null()."""
    match value:
        case dict():
            return {key: _without_nulls(held) for key, held in value.items() if held is not None}
        case list():
            return [_without_nulls(held) for held in value]
    return value


async def _answered(question: Question, dispatcher: Dispatcher, asker: Asker) -> Mapping[str, Any] | ArmError:
    version = question.version or newest_version(question.address)
    try:
        answer = await dispatcher.ask(
            Request(method="GET", path=question.address, api_version=version), asker
        )
    except ArmError as error:
        return error
    return answer.body if isinstance(answer.body, dict) else ArmError(404, "ResourceNotFound", "Not there.")


def newest_version(path: str) -> str:
    """Return the newest api-version of a resource's type that is no preview."""
    try:
        wanted = ids.parse(path)
    except ArmError:
        return ANY_VERSION
    if not wanted.namespace:
        return GROUP_VERSION
    namespace = namespaces().get(wanted.namespace.lower())
    kind = namespace.find(wanted.types) if namespace else None
    return next((one for one in kind.versions if "preview" not in one), ANY_VERSION) if kind else ANY_VERSION
