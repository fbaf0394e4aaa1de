"""How a build's end is told: the service's own sentences first, then what it leaves out (reference §5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.errors import BuildCanceledError, BuildError, BuildTimeoutError, DistributeError, StepError
from vmwright.runs.states import RunState

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.distributors.distributor import RunOutput
    from vmwright.errors import VmwrightError
    from vmwright.events import Outcome
    from vmwright.template.model import Customizer

STEP_FAILED = "During the image build a failure has occurred. Please review the build log to identify which "
STEP_FAILED += "build/customization step failed."
TIMED_OUT = (
    "Failed while waiting for packerizer: Timeout waiting for microservice to complete: "
    "'context deadline exceeded'"
)


def defect() -> BuildError:
    """Return the error of what should not have happened, in the service's words."""
    return BuildError("Internal error occurred.", hint="this is a defect of vmwright: please report it")


def host_failure(error: OSError) -> BuildError:
    """Return the error of a build whose host refused something: a full disk, a missing right."""
    return BuildError(f"{error.strerror or error}: {error.filename or 'this host'}")


def step_failed(
    step: Customizer, number: int, total: int, reason: str, *, hint: str | None = None
) -> StepError:
    """Return the error of a step, naming it by number, name and kind."""
    title = f"Step {number} of {total} '{step.name}' ({step.kind}) failed"
    return StepError(f"{title}: {reason}", target=step.path, hint=hint)


def timed_out(minutes: float, during: str) -> BuildTimeoutError:
    """Return the error of a build whose time is over, in the service's words, with what it was doing."""
    return BuildTimeoutError(
        f"{TIMED_OUT}. buildTimeoutInMinutes ({minutes:g}) was over during {during}",
        target="properties.buildTimeoutInMinutes",
        hint="raise buildTimeoutInMinutes (at most 960), or see in the log what took so long",
    )


def distribution_failed(outputs: tuple[RunOutput, ...]) -> DistributeError | None:
    """Return the error of a build some of whose distributors failed, None where none did."""
    failed = [output for output in outputs if output.error]
    if not failed:
        return None
    details = "; ".join(f"{output.name} ({output.kind}): {output.error}" for output in failed)
    return DistributeError(
        f"Failed in distributing {len(failed)} images out of total {len(outputs)}: {details}",
        target="properties.distribute",
    )


def last_run_message(error: VmwrightError, *, build_id: str, log: Path) -> str:
    """Return what ``lastRunStatus.message`` says: the service's prefix, the cause, where the log is."""
    if isinstance(error, BuildCanceledError | DistributeError | BuildTimeoutError):
        return error.message
    prefix = f"{STEP_FAILED} " if isinstance(error, StepError) else ""
    return f"{prefix}{error.message}\nImage build log location: {log}. OperationId: {build_id}."


RUN_STATES = {
    "succeeded": RunState.SUCCEEDED,
    "partiallySucceeded": RunState.PARTIALLY_SUCCEEDED,
    "failed": RunState.FAILED,
    "canceled": RunState.CANCELED,
}


def run_state(outcome: Outcome) -> RunState:
    """Return Azure's run state of an outcome."""
    return RUN_STATES[outcome]
