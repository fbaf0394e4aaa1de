"""Azure's states of a run (reference §6.2)."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Azure's ``lastRunStatus.runState``."""

    RUNNING = "Running"
    CANCELING = "Canceling"
    SUCCEEDED = "Succeeded"
    PARTIALLY_SUCCEEDED = "PartiallySucceeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class RunSubState(StrEnum):
    """Azure's ``lastRunStatus.runSubState``, absent once a run is over."""

    QUEUED = "Queued"
    BUILDING = "Building"
    CUSTOMIZING = "Customizing"
    VALIDATING = "Validating"
    DISTRIBUTING = "Distributing"
