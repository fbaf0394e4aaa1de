"""A deployment that a call asks for: read, evaluated, checked; nothing of it is kept or made yet."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.arm import checks
from vmwright.arm.dispatcher import Asker
from vmwright.arm.providers.deployments import planning, requests
from vmwright.arm.providers.deployments.facts import Facts
from vmwright.arm.providers.deployments.records import Work
from vmwright.template.deployment import Scope

if TYPE_CHECKING:
    from vmwright.arm.background import Background
    from vmwright.arm.dispatcher import Dispatcher
    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.providers.deployments.checking import Checking
    from vmwright.arm.providers.deployments.links import Links
    from vmwright.arm.providers.deployments.planning import Plan
    from vmwright.arm.providers.deployments.records import Records
    from vmwright.arm.providers.deployments.requests import Wanted
    from vmwright.arm.providers.deployments.what_if import WhatIf
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the calls work with."""

    service: Service
    background: Background
    dispatcher: Dispatcher
    records: Records
    links: Links
    checking: Checking
    what_if: WhatIf


@dataclass(frozen=True, slots=True)
class Asked:
    """A deployment that can be made; its ``work`` has no operation yet."""

    wanted: Wanted
    plan: Plan
    work: Work


async def asked_for(call: Call, deployment: ResourceId, tools: Tools) -> Asked:
    """Return what a call asks for.

    :raises ArmError: it is no deployment, something is wrong with its template, or it cannot be made here
        by whoever calls.
    """
    group = await asyncio.to_thread(_group, deployment, tools)
    wanted = await requests.read(call.body, tools.links, is_subscriptions=not deployment.group)
    source = planning.Source(
        template=wanted.template,
        given=wanted.given,
        scope=Scope(
            subscription_id=deployment.subscription,
            resource_group=group.name if group else "",
            location=group.location if group else wanted.location,
            tenant_id=tools.service.tenant,
            deployment=deployment.name,
            tags=dict(group.tags) if group else {},
        ),
        now=datetime.now(UTC),
        seed=str(uuid.uuid4()),
    )
    asker = Asker(principal=call.principal, base_url=call.base_url, correlation_id=call.correlation_id)
    plan = await planning.plan(source, Facts(), tools.dispatcher, asker)
    await tools.checking.check(plan, deployment, asker)
    return Asked(wanted, plan, Work(operation="", source=source, asker=asker))


def _group(deployment: ResourceId, tools: Tools) -> Resource | None:
    if not deployment.group:
        return None
    return checks.find_group_to_write(tools.service.store, deployment.subscription, deployment.group)
