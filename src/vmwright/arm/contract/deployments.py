"""Microsoft.Resources/deployments: ARM templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.contract.operation import ODATA, Operation
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION
from vmwright.arm.providers.deployments.places import OPERATIONS, RESULTS, TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOYMENT = "Deployment"


def described() -> Iterator[Operation]:
    """Give the operations."""
    yield from _of(SUBSCRIPTION, "of the subscription")
    yield from _of(GROUP, "of a resource group")


def _of(scope: str, where: str) -> Iterator[Operation]:
    many = f"{scope}/providers/{TYPE}"
    one = f"{many}/{{name}}"
    shown, made = {200: DEPLOYMENT}, {200: DEPLOYMENT, 201: DEPLOYMENT}
    yield Operation("GET", many, f"List the deployments {where}", {200: f"{DEPLOYMENT}[]"}, query=ODATA)
    yield Operation("GET", one, f"Show a deployment {where}", shown)
    yield Operation("HEAD", one, f"Tell whether there is a deployment {where}")
    about = f"Make what a template {where} says"
    yield Operation("PUT", one, about, made, "DeploymentRequest", polled=(200, 201))
    yield Operation("DELETE", one, f"Forget a deployment {where}", {204: ""})
    about = f"Check a deployment {where}"
    yield Operation("POST", f"{one}/validate", about, shown, "DeploymentRequest")
    about = f"Tell what a deployment {where} would change"
    yield Operation("POST", f"{one}/whatIf", about, {202: ""}, "DeploymentRequest", polled=(202,))
    yield Operation("POST", f"{one}/cancel", f"End a deployment {where}", {204: ""})
    yield Operation("POST", f"{one}/exportTemplate", f"Show the template of a deployment {where}")
    yield Operation("GET", f"{one}/{RESULTS}/{{id}}", f"Show what a deployment {where} would change")
    about = f"Show how a deployment {where} goes"
    yield Operation("GET", f"{one}/operationStatuses/{{id}}", about)
    for way, short in ((one, ""), (f"{scope}/deployments/{{name}}", ", by the short way")):
        about = f"List what a deployment {where} has done{short}"
        yield Operation("GET", f"{way}/{OPERATIONS}", about, {200: "Document[]"}, query=ODATA)
        about = f"Show one thing that a deployment {where} has done{short}"
        yield Operation("GET", f"{way}/{OPERATIONS}/{{id}}", about)
