"""The ways to what operators and their probes ask a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.access.actions import Wanted
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.routing import Route
from vmwright.arm.identity.address import is_loopback
from vmwright.arm.observing.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.access.decisions import Decisions
    from vmwright.arm.http.call import Call
    from vmwright.arm.observing.health import Health
    from vmwright.arm.observing.metrics import Metrics
    from vmwright.arm.service import Service

READ = "Microsoft.Resources/subscriptions/read"


def routes(service: Service, decisions: Decisions, metrics: Metrics, health: Health) -> Iterator[Route]:
    """Give the ways to metrics and health.

    Probes have no token. Metrics want none where only this host's users reach the service; elsewhere they are
    for who may read the subscription.
    """
    is_open = is_loopback(service.settings.service.host)
    whole = Wanted(READ, f"/subscriptions/{service.subscription}".lower())

    async def measured(call: Call) -> Answer:
        if not is_open:
            await decisions.require(call.principal, whole)
        return Answer(body=await metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def alive(_call: Call) -> Answer:
        return ok({"status": "alive"})

    async def ready(_call: Call) -> Answer:
        wrong = await health.report()
        checks = {name: {"ok": not why, **({"reason": why} if why else {})} for name, why in wrong.items()}
        is_ready = not any(wrong.values())
        body = {"status": "ready" if is_ready else "not ready", "checks": checks}
        return Answer(status=200 if is_ready else 503, body=body)

    yield Route(method="GET", pattern="/metrics", handler=measured, is_open=is_open, action="")
    yield Route(method="GET", pattern="/healthz", handler=alive, is_open=True)
    yield Route(method="GET", pattern="/readyz", handler=ready, is_open=True)
