"""Where deployments are: their ids, and those of what they deploy."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError
from vmwright.arm.ids import ResourceId

if TYPE_CHECKING:
    from vmwright.arm.http.call import Call

NAMESPACE = "Microsoft.Resources"
KIND = "deployments"
TYPE = f"{NAMESPACE}/{KIND}"
OPERATIONS = "operations"
OPERATION_TYPE = f"{TYPE}/{OPERATIONS}"
RESULTS = "whatIfResults"
RESULT_TYPE = f"{TYPE}/{RESULTS}"
NAME = re.compile(r"[A-Za-z0-9._()-]{1,64}")
GROUPS = re.compile(r"/providers/Microsoft\.Resources/resourceGroups/", re.IGNORECASE)


def deployment_id(call: Call) -> ResourceId:
    """Return the id of the deployment that a call is about.

    :raises ArmError: none has such a name.
    """
    name = call.names["name"]
    check_name(name)
    return ResourceId(call.names["subscription"], call.names.get("group", ""), NAMESPACE, (KIND,), (name,))


def check_name(name: str) -> None:
    """Check the name of a deployment.

    :raises ArmError: none has such a name.
    """
    if not NAME.fullmatch(name):
        raise ArmError(
            400,
            "InvalidDeploymentName",
            f"The deployment name '{name[:80]}' is not valid: 1 to 64 letters, digits, '-', '_', '.', '(' "
            "and ')'.",
            is_gateways=True,
        )


def address(resource_id: str) -> str:
    """Return where a resource is asked for: templates write the ids of groups like those of others."""
    return GROUPS.sub("/resourceGroups/", resource_id, count=1)


def operation_id(deployment: ResourceId, run: str, resource_id: str) -> ResourceId:
    """Return the id of the operation that makes a resource: the same one when it is done again.

    :param run: what began the deployment.
    """
    name = hashlib.sha256(f"{run} {resource_id.lower()}".encode()).hexdigest()[:16].upper()
    return deployment.below(OPERATIONS, name)


def not_found(deployment: ResourceId) -> ArmError:
    """Return the error of a deployment that is not there."""
    return ArmError(
        404, "DeploymentNotFound", f"Deployment '{deployment.name}' could not be found.", is_gateways=True
    )
