"""Errors of deployments, as ARM words them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError
from vmwright.template.deployment.hiding import hide

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmwright.arm.ids import ResourceId
    from vmwright.template import Problem

# Hints for people at a command line, not for clients of the service.
OF_COMMAND_LINE = "--set"
GROUPED = "At least one resource deployment operation failed. Please list deployment operations for details. "
USAGE = "Please see https://aka.ms/arm-deployment-operations for usage details."


def refused(problems: Sequence[Problem], secrets: Sequence[str]) -> ArmError:
    """Return the error of a template that is not one: the first problem, then all of them as details."""
    details = [ArmError(400, one.code, _told(one, secrets), target=one.path or None) for one in problems]
    return ArmError(
        400,
        "InvalidTemplate",
        f"Deployment template validation failed: '{_told(problems[0], secrets)}'.",
        target=problems[0].path or None,
        details=details if len(details) > 1 else (),
        is_gateways=True,
    )


def failed(deployment: ResourceId, errors: Iterable[ArmError]) -> ArmError:
    """Return the error of a deployment of which some resources could not be made."""
    return ArmError(409, "DeploymentFailed", GROUPED + USAGE, target=str(deployment), details=list(errors))


def ended_badly(resource_id: str, state: str, cause: ArmError | None) -> ArmError:
    """Return the error of a resource that was taken, and whose operation has not succeeded."""
    return ArmError(
        409,
        "ResourceDeploymentFailure",
        "The resource write operation failed to complete successfully, because it reached terminal "
        f"provisioning state '{state}'.",
        target=resource_id,
        details=[cause] if cause else (),
    )


def about(resource_id: str, error: ArmError, secrets: Sequence[str]) -> ArmError:
    """Return an error that says which resource it is about, without secrets."""
    clean = _without(secrets, error)
    is_resources = clean.target is not None and clean.target.startswith("/")
    target = clean.target if is_resources else hide(resource_id, secrets)
    return ArmError(clean.status, clean.code, clean.message, target=target, details=clean.details)


def _without(secrets: Sequence[str], error: ArmError) -> ArmError:
    return ArmError(
        error.status,
        error.code,
        hide(error.message, secrets),
        target=hide(error.target, secrets) if error.target else None,
        details=[_without(secrets, one) for one in error.details],
    )


def canceled(deployment: ResourceId) -> ArmError:
    """Return the error of a deployment that somebody has cancelled."""
    return ArmError(409, "DeploymentCanceled", f"The deployment '{deployment.name}' was cancelled.")


def _told(problem: Problem, secrets: Sequence[str]) -> str:
    text = problem.message
    if problem.line:
        text += f" At line {problem.line} and column {problem.column}."
    if problem.hint and OF_COMMAND_LINE not in problem.hint:
        text += f" Hint: {problem.hint}{'' if problem.hint.endswith('?') else '.'}"
    return hide(text, secrets)
