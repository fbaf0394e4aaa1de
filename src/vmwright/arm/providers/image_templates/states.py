"""Which operation a template allows in which states (reference §5.2, §6)."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.image_templates.names import TEMPLATE_TYPE
from vmwright.runs.states import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_ALLOWED = 405


class ProvisioningState(StrEnum):
    """How it goes with making a template; a run does not change it."""

    CREATING = "Creating"
    UPDATING = "Updating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Action(StrEnum):
    """What is asked of a template, as the service's sentences call it."""

    WRITE = "write"
    DELETE = "delete"
    RUN = "run/action"
    CANCEL = "cancel/action"


SETTLED = frozenset({ProvisioningState.SUCCEEDED, ProvisioningState.FAILED})
BUSY = frozenset({RunState.RUNNING, RunState.CANCELING})
# The service's own names of the states, where they are not those that it shows.
INTERNAL: Mapping[ProvisioningState, str] = MappingProxyType({ProvisioningState.SUCCEEDED: "provisioned"})


def check(action: Action, provisioning: ProvisioningState, run: RunState | None) -> None:
    """Check that a template allows an action now.

    A template may be written while a build of it runs: that goes on with what it was begun with.

    :param run: the state of its newest build, None without one.
    :raises ArmError: it does not, in the service's own words.
    """
    if not _allows(action, provisioning, run):
        raise refusal(action, provisioning, run)


def refusal(action: Action, provisioning: ProvisioningState, run: RunState | None) -> ArmError:
    """Return the error of an action that is not allowed."""
    state = INTERNAL.get(provisioning, provisioning.lower())
    states = f"provisioningState: '{state}'" + (f", runState: '{run.lower()}'" if run else "")
    return ArmError(
        NOT_ALLOWED,
        "OperationNotAllowed",
        f"Operation '{TEMPLATE_TYPE}/{action}' is not allowed in {states}",
    )


def _allows(action: Action, provisioning: ProvisioningState, run: RunState | None) -> bool:
    match action:
        case Action.WRITE:
            return provisioning in SETTLED
        case Action.DELETE:
            return provisioning in SETTLED and run not in BUSY
        case Action.RUN:
            return provisioning is ProvisioningState.SUCCEEDED and run not in BUSY
        case Action.CANCEL:
            return run is RunState.RUNNING
