"""What the database says of a build: its state, steps, layers and run outputs (reference §6, §12)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from vmwright.distributors.distributor import RunOutput
from vmwright.errors import VmwrightError
from vmwright.state.resources import boot_id, lives, started
from vmwright.state.tables import BuildRow, LayerRow, RunOutputRow, StepRow

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from vmwright.events import Outcome
    from vmwright.state.database import Database

# Go's zero time, which the service shows while a run has not ended (reference §6.2).
NO_TIME = "0001-01-01T00:00:00Z"


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

    BUILDING = "Building"
    CUSTOMIZING = "Customizing"
    VALIDATING = "Validating"
    DISTRIBUTING = "Distributing"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One build, as ``vmwright runs`` shows it."""

    id: str
    name: str
    run_state: RunState
    run_sub_state: str | None
    machine: str | None
    accelerator: str | None
    source: str | None
    folder: str
    message: str
    started_at: datetime
    ended_at: datetime | None
    outputs: tuple[RunOutput, ...] = ()

    def as_document(self) -> dict[str, object]:
        """Return the run as JSON; ``lastRunStatus`` and run outputs have the service's shape."""
        status: dict[str, object] = {
            "startTime": self.started_at.isoformat(),
            "endTime": self.ended_at.isoformat() if self.ended_at else NO_TIME,
            "runState": self.run_state,
            "message": self.message,
        }
        if self.run_sub_state:
            status["runSubState"] = self.run_sub_state
        return {
            "id": self.id,
            "name": self.name,
            "lastRunStatus": status,
            "machine": self.machine,
            "accelerator": self.accelerator,
            "source": self.source,
            "folder": self.folder,
            "runOutputs": [output.as_document() for output in self.outputs],
        }


class BuildRecords:
    """The rows of one build; each method is one transaction."""

    def __init__(self, database: Database, build_id: str) -> None:
        self._database = database
        self._id = build_id

    def begin(self, *, name: str, template: dict[str, Any], folder: Path) -> None:
        """Record a build before anything of it is made."""
        row = BuildRow(
            id=self._id,
            name=name,
            template=template,
            run_state=RunState.RUNNING,
            run_sub_state=RunSubState.BUILDING,
            folder=str(folder),
            message="",
            owner_pid=os.getpid(),
            owner_started=started(os.getpid()),
            boot_id=boot_id(),
            started_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            session.add(row)

    def set(self, **columns: object) -> None:
        """Change columns of the build's row."""
        with self._database.session() as session:
            session.execute(update(BuildRow).where(BuildRow.id == self._id).values(**columns))

    def end(self, state: RunState, message: str) -> None:
        """Record how the build ended; a terminal state has no sub-state."""
        self.set(run_state=state, run_sub_state=None, message=message, ended_at=datetime.now(UTC))

    def step_started(self, number: int, *, name: str, kind: str) -> None:
        """Record a step before it runs."""
        row = StepRow(
            build_id=self._id,
            number=number,
            name=name,
            kind=kind,
            state=RunState.RUNNING,
            started_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            session.add(row)

    def step_ended(self, number: int, outcome: Outcome, exit_code: int | None) -> None:
        """Record how a step ended."""
        values = {"state": outcome.capitalize(), "exit_code": exit_code, "ended_at": datetime.now(UTC)}
        with self._database.session() as session:
            session.execute(
                update(StepRow).where(StepRow.build_id == self._id, StepRow.number == number).values(**values)
            )

    def layer_committed(self, number: int, path: Path) -> None:
        """Record that the disk after step ``number`` (0: before the first) is frozen at ``path``."""
        row = LayerRow(build_id=self._id, number=number, path=str(path), committed_at=datetime.now(UTC))
        with self._database.session() as session:
            session.add(row)

    def layers_removed(self) -> None:
        """Record that the build's layers are gone from the disk."""
        with self._database.session() as session:
            session.execute(delete(LayerRow).where(LayerRow.build_id == self._id))

    def distributed(self, output: RunOutput) -> None:
        """Record what a distributor made, or why it failed."""
        row = RunOutputRow(
            build_id=self._id,
            name=output.name,
            kind=output.kind,
            provisioning_state=RunState.FAILED if output.error else RunState.SUCCEEDED,
            artifact_id=output.artifact_id,
            artifact_uri=output.artifact_uri,
            tags=dict(output.tags),
            error=output.error,
        )
        with self._database.session() as session:
            session.add(row)


def runs(database: Database) -> list[RunRecord]:
    """Return all builds, the newest first; those whose process is gone have failed."""
    end_interrupted(database)
    with database.session() as session:
        rows = session.scalars(select(BuildRow).order_by(BuildRow.started_at.desc())).all()
        return [_record(row, _outputs_of(session, row.id)) for row in rows]


def end_interrupted(database: Database) -> None:
    """Record builds that have not ended, but whose process is gone, as failed."""
    with database.session() as session:
        for row in session.scalars(select(BuildRow).where(BuildRow.ended_at.is_(None))):
            if not lives(row.owner_pid, row.owner_started, row.boot_id):
                row.run_state, row.run_sub_state = RunState.FAILED, None
                row.message = "The build was interrupted: its process is gone."
                row.ended_at = datetime.now(UTC)


def find_run(database: Database, name: str) -> RunRecord:
    """Return the build whose id begins with ``name``, or else the newest of that name.

    :raises VmwrightError: there is none, or the beginning fits several.
    """
    everything = runs(database)
    by_id = [run for run in everything if name and run.id.startswith(name.lower())]
    if len(by_id) > 1:
        raise VmwrightError(
            f"{len(by_id)} builds have an id that begins with {name}", hint="give more of the id"
        )
    found = by_id or [run for run in everything if run.name == name]
    if not found:
        raise VmwrightError(f"There is no build {name}", hint="vmwright runs lists them")
    return found[0]


def _record(row: BuildRow, outputs: tuple[RunOutput, ...]) -> RunRecord:
    return RunRecord(
        id=row.id,
        name=row.name,
        run_state=RunState(row.run_state),
        run_sub_state=row.run_sub_state,
        machine=row.machine,
        accelerator=row.accelerator,
        source=row.source,
        folder=row.folder,
        message=row.message,
        started_at=row.started_at,
        ended_at=row.ended_at,
        outputs=outputs,
    )


def _outputs_of(session: Session, build_id: str) -> tuple[RunOutput, ...]:
    rows = session.scalars(
        select(RunOutputRow).where(RunOutputRow.build_id == build_id).order_by(RunOutputRow.id)
    )
    return tuple(
        RunOutput(
            name=row.name,
            kind=row.kind,
            artifact_id=row.artifact_id,
            artifact_uri=row.artifact_uri,
            tags=row.tags,
            error=row.error,
        )
        for row in rows
    )
