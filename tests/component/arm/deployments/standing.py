"""A service with all that deployments make, and a source for every image template."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.component.arm.asking import SUBSCRIPTION
from tests.component.arm.deployments.talking import Gate
from vmwright.arm.access.access import Access
from vmwright.arm.access.gate import RoleGate
from vmwright.arm.background import Background
from vmwright.arm.dispatcher import Dispatcher
from vmwright.arm.http.app import Arm
from vmwright.arm.http.routing import Router
from vmwright.arm.providers import (
    authorization,
    deployments,
    groups,
    image_templates,
    managed_identity,
    resources,
)
from vmwright.arm.providers.image_templates.finding import Found
from vmwright.arm.rules import Rules
from vmwright.arm.service import Service
from vmwright.template.model import Template


@dataclass
class Sources:
    """Every source is there, until told otherwise; where one is not ``open`` it is not answered yet."""

    wrong: Exception | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def find(self, _template: Template, _service: Service) -> Found:
        self.reached.set()
        await self.open.wait()
        if self.wrong:
            raise self.wrong
        return Found(exact_version="1.2.3")


@dataclass(frozen=True)
class Assembled:
    """A service that does not run yet."""

    arm: Arm
    background: Background
    deploying: Background


def assembled(service: Service, access: Access, sources: Sources, gate: Gate | RoleGate) -> Assembled:
    background, deploying = (Background(service.operations, service.events) for _ in range(2))
    rules = Rules(SUBSCRIPTION)
    dispatcher = Dispatcher(gate, rules)
    router = Router(
        (
            *groups.routes(service, background, [image_templates.Deletion(service)]),
            *resources.routes(service, []),
            *authorization.routes(service, access),
            *managed_identity.routes(service, access),
            *image_templates.routes(service, background, access, find=sources.find),
            *deployments.routes(service, deploying, dispatcher, image_templates.PREFLIGHTS),
        )
    )
    dispatcher.serves(router)
    return Assembled(Arm(router, gate, rules=rules), background, deploying)
