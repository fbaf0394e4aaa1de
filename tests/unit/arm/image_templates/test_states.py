from __future__ import annotations

import pytest

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.image_templates.states import Action, ProvisioningState, check
from vmwright.runs.states import RunState

CREATING, SUCCEEDED, FAILED = (
    ProvisioningState.CREATING,
    ProvisioningState.SUCCEEDED,
    ProvisioningState.FAILED,
)
RUNNING, CANCELING, CANCELED = RunState.RUNNING, RunState.CANCELING, RunState.CANCELED
ALLOWED = {
    (Action.WRITE, SUCCEEDED, None),
    (Action.WRITE, SUCCEEDED, RUNNING),
    (Action.WRITE, SUCCEEDED, CANCELING),
    (Action.WRITE, SUCCEEDED, CANCELED),
    (Action.WRITE, FAILED, None),
    (Action.WRITE, FAILED, RUNNING),
    (Action.WRITE, FAILED, CANCELING),
    (Action.WRITE, FAILED, CANCELED),
    (Action.DELETE, SUCCEEDED, None),
    (Action.DELETE, SUCCEEDED, CANCELED),
    (Action.DELETE, FAILED, None),
    (Action.DELETE, FAILED, CANCELED),
    (Action.RUN, SUCCEEDED, None),
    (Action.RUN, SUCCEEDED, CANCELED),
    (Action.CANCEL, CREATING, RUNNING),
    (Action.CANCEL, SUCCEEDED, RUNNING),
    (Action.CANCEL, FAILED, RUNNING),
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("provisioning", [CREATING, SUCCEEDED, FAILED])
@pytest.mark.parametrize("run", [None, RUNNING, CANCELING, CANCELED])
def test_what_a_template_allows_in_which_states(
    action: Action, provisioning: ProvisioningState, run: RunState | None
) -> None:
    if (action, provisioning, run) in ALLOWED:
        check(action, provisioning, run)
        return
    with pytest.raises(ArmError) as refused:
        check(action, provisioning, run)
    assert refused.value.status == 405
    assert refused.value.code == "OperationNotAllowed"


def test_a_refusal_is_in_the_services_words() -> None:
    with pytest.raises(ArmError) as refused:
        check(Action.DELETE, SUCCEEDED, CANCELING)
    assert refused.value.message == (
        "Operation 'Microsoft.VirtualMachineImages/imageTemplates/delete' is not allowed in "
        "provisioningState: 'provisioned', runState: 'canceling'"
    )
