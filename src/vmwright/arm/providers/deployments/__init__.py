"""Microsoft.Resources/deployments: ARM templates, deployed by the providers of this service.

calls       what is asked of them          requests, parsing, links   reading what clients send
asked       a deployment, ready to begin
planning    what is made, in which order   facts      what its expressions know of resources
checking    what is wrong beforehand       deploying  the work behind a deployment
making      one of its resources           records    what is kept, also over a restart
what_if, comparing                         shapes, faults, places     what answers show
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.http.routing import GROUP, SUBSCRIPTION, Route
from vmwright.arm.providers.deployments.asked import Tools
from vmwright.arm.providers.deployments.calls import Calls
from vmwright.arm.providers.deployments.checking import Checking, Preflight
from vmwright.arm.providers.deployments.deploying import WRITE, Deploying
from vmwright.arm.providers.deployments.links import Links
from vmwright.arm.providers.deployments.places import OPERATIONS, RESULTS, TYPE
from vmwright.arm.providers.deployments.records import Records
from vmwright.arm.providers.deployments.what_if import WhatIf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.arm.background import Background
    from vmwright.arm.dispatcher import Dispatcher
    from vmwright.arm.service import Service

__all__ = ["Preflight", "routes"]


def routes(
    service: Service,
    background: Background,
    dispatcher: Dispatcher,
    preflights: Mapping[str, Preflight],
) -> Iterator[Route]:
    """Give the ways to deployments, and let ``background`` carry them out.

    :param background: one of its own: what waits for other operations must not take their room.
    :param dispatcher: makes what templates name.
    :param preflights: what checks the bodies of resources, by types in lower case.
    """
    kept = Records(service.store)
    background.does(WRITE, Deploying(kept, dispatcher).carry_out)
    calls = Calls(
        Tools(
            service=service,
            background=background,
            dispatcher=dispatcher,
            records=kept,
            links=Links(service),
            checking=Checking(dispatcher, preflights),
            what_if=WhatIf(service, dispatcher),
        )
    )
    for scope in (SUBSCRIPTION, GROUP):
        many = f"{scope}/providers/{TYPE}"
        one = f"{many}/{{name}}"
        yield Route(method="GET", pattern=many, handler=calls.all)
        yield Route(method="GET", pattern=one, handler=calls.get)
        yield Route(method="HEAD", pattern=one, handler=calls.exists)
        yield Route(method="PUT", pattern=one, handler=calls.put)
        yield Route(method="DELETE", pattern=one, handler=calls.delete)
        yield Route(method="POST", pattern=f"{one}/validate", handler=calls.validate)
        yield Route(method="POST", pattern=f"{one}/whatIf", handler=calls.what_if)
        yield Route(method="POST", pattern=f"{one}/cancel", handler=calls.cancel)
        yield Route(method="POST", pattern=f"{one}/exportTemplate", handler=calls.export)
        yield Route(method="GET", pattern=f"{one}/{RESULTS}/{{id}}", handler=calls.result)
        yield Route(method="GET", pattern=f"{one}/operationStatuses/{{id}}", handler=calls.status)
        # some clients leave the provider out of the way to operations
        for way in (one, f"{scope}/deployments/{{name}}"):
            yield Route(method="GET", pattern=f"{way}/{OPERATIONS}", handler=calls.operations)
            yield Route(method="GET", pattern=f"{way}/{OPERATIONS}/{{id}}", handler=calls.operation)
