"""What the database says of a build: its state, steps, layers and run outputs (reference §6, §12).

Everything is written under the claim of the attempt that writes it: who has lost the build writes nothing.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from vmwright.artifacts.facts import Provisioning
from vmwright.distributors.distributor import RunOutput
from vmwright.runs.layer import Layer
from vmwright.runs.layer_files import LOCK
from vmwright.runs.queue import guarded
from vmwright.runs.states import RunState
from vmwright.state.database import lock
from vmwright.state.host import host_id
from vmwright.state.tables import BuildRow, InputRow, LayerRow, LogRow, ResourceRow, RunOutputRow, StepRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from vmwright.events import Outcome
    from vmwright.runs.fetched import FetchedFile
    from vmwright.runs.queue import Claim
    from vmwright.state.database import Database
    from vmwright.state.resources import Resource


class BuildRecords:
    """The rows of one build, for the attempt that has it; each method is one transaction."""

    def __init__(self, database: Database, claim: Claim) -> None:
        self._database = database
        self._claim = claim
        self._id = claim.build_id

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction in which this attempt has the build.

        :raises LostBuildError: another one has it now.
        """
        with self._database.session() as session:
            guarded(session, self._claim)
            yield session

    def check(self) -> None:
        """Make sure that this attempt has the build, before it writes where no transaction reaches.

        :raises LostBuildError: another one has it now.
        """
        with self.writing():
            pass

    def set(self, **columns: object) -> None:
        """Change columns of the build's row."""
        with self.writing() as session:
            session.execute(update(BuildRow).where(BuildRow.id == self._id).values(**columns))

    def begin(self, *, folder: Path, timeout_seconds: float) -> datetime:
        """Record where the build is now, and that no step of it runs any more.

        :returns: when its time is over, which later attempts do not change.
        """
        with self.writing() as session:
            row = session.get_one(BuildRow, self._id)
            row.folder = str(folder)
            row.deadline = row.deadline or self._database.now(session) + timedelta(seconds=timeout_seconds)
            self._break_off(session)
            return row.deadline

    def end(self, state: RunState, message: str) -> None:
        """Record how the build ended; a terminal state has no sub-state."""
        with self.writing() as session:
            self._break_off(session)
            row = session.get_one(BuildRow, self._id)
            row.run_state, row.run_sub_state = state, None
            row.message, row.ended_at = message, datetime.now(UTC)

    def _break_off(self, session: Session) -> None:
        """Record of steps that have not ended that they never will."""
        open_ones = (StepRow.build_id == self._id, StepRow.ended_at.is_(None))
        session.execute(update(StepRow).where(*open_ones).values(state=RunState.CANCELED))

    def log(self, name: str, path: Path) -> None:
        """Record where a log is written; a copy in the shared store counts until there is a newer one."""
        with self.writing() as session:
            row = session.scalars(self._log(name)).one_or_none()
            if row is None:
                row = LogRow(build_id=self._id, name=name, key=None)
                session.add(row)
            row.host, row.path = host_id(), str(path)

    def log_shared(self, name: str, key: str) -> str | None:
        """Record the newest copy of a log in the shared store; return the key of the one before it."""
        with self.writing() as session:
            row = session.scalars(self._log(name)).one()
            before, row.key = row.key, key
            return before

    def logs(self) -> list[LogRow]:
        """Return the logs that have been begun."""
        with self._database.session() as session:
            return list(session.scalars(select(LogRow).where(LogRow.build_id == self._id)))

    def _log(self, name: str) -> Select[LogRow]:
        return select(LogRow).where(LogRow.build_id == self._id, LogRow.name == name)

    def step_started(self, number: int, *, name: str, kind: str) -> None:
        """Record a step before it runs; a run that its machine's loss broke off is not kept."""
        row = StepRow(
            build_id=self._id,
            number=number,
            attempt=self._claim.attempt,
            name=name,
            kind=kind,
            state=RunState.RUNNING,
            started_at=datetime.now(UTC),
        )
        with self.writing() as session:
            session.execute(delete(StepRow).where(*self._step(number)))
            session.add(row)

    def step_cached(self, number: int, *, name: str, kind: str) -> None:
        """Record a step that has not run, as its layer was there already."""
        now = datetime.now(UTC)
        row = StepRow(
            build_id=self._id,
            number=number,
            attempt=self._claim.attempt,
            name=name,
            kind=kind,
            state=RunState.SUCCEEDED,
            exit_code=0,
            started_at=now,
            ended_at=now,
        )
        with self.writing() as session:
            session.execute(delete(StepRow).where(*self._step(number)))
            session.add(row)

    def step_ran(self, number: int, exit_code: int | None) -> None:
        """Record that a step has done its work: it has ended once its layer is committed."""
        with self.writing() as session:
            session.execute(update(StepRow).where(*self._step(number)).values(exit_code=exit_code))

    def step_ended(self, number: int, outcome: Outcome, exit_code: int | None) -> None:
        """Record how a step ended."""
        values = {"state": outcome.capitalize(), "exit_code": exit_code, "ended_at": datetime.now(UTC)}
        with self.writing() as session:
            session.execute(update(StepRow).where(*self._step(number)).values(**values))

    def _step(self, number: int) -> tuple[ColumnElement[bool], ...]:
        mine = StepRow.attempt == self._claim.attempt
        return (StepRow.build_id == self._id, StepRow.number == number, mine)

    def inputs(self) -> list[InputRow]:
        """Return the scripts and files that were fetched, in the order of their steps."""
        with self._database.session() as session:
            asked = select(InputRow).where(InputRow.build_id == self._id).order_by(InputRow.number)
            return list(session.scalars(asked))

    def fetched(self, files: list[FetchedFile]) -> None:
        """Record the scripts and files of steps, in place of what was there of the same steps."""
        numbers = [file.number for file in files]
        with self.writing() as session:
            session.execute(
                delete(InputRow).where(InputRow.build_id == self._id, InputRow.number.in_(numbers))
            )
            session.add_all(
                InputRow(
                    build_id=self._id,
                    number=file.number,
                    host=host_id(),
                    path=str(file.path),
                    sha256=file.sha256,
                    digest=file.digest,
                    size_bytes=file.path.stat().st_size,
                )
                for file in files
            )

    def drop_inputs(self) -> None:
        """Forget the scripts and files of all steps."""
        with self.writing() as session:
            session.execute(delete(InputRow).where(InputRow.build_id == self._id))

    def layers(self) -> list[Layer]:
        """Return the layers of the build's disk, from the first to the newest."""
        with self._database.session() as session:
            asked = select(LayerRow).where(LayerRow.build_id == self._id).order_by(LayerRow.number)
            return [_layer(row) for row in session.scalars(asked)]

    def layer_committed(self, layer: Layer, claim: Resource) -> None:
        """Record a layer, which is none of the things to be removed any more, and the end of its step."""
        with self.writing() as session:
            self._add_layer(session, layer)
            session.execute(delete(ResourceRow).where(ResourceRow.id == claim.id))

    def layer_adopted(self, layer: Layer) -> None:
        """Record a layer whose file others refer to, too.

        :raises FileNotFoundError: they have given it up meanwhile.
        """
        with self.writing() as session:
            lock(session, LOCK)
            if not layer.path.exists():
                raise FileNotFoundError(layer.path)
            self._add_layer(session, layer)

    def _add_layer(self, session: Session, layer: Layer) -> None:
        row = LayerRow(
            build_id=self._id,
            number=layer.number,
            step=layer.step,
            attempt=self._claim.attempt,
            host=layer.host,
            path=str(layer.path),
            digest=layer.digest,
            size_bytes=layer.size_bytes,
            deprovisioning=encoded(layer.deprovisioning),
            provisioning=layer.provisioning,
            committed_at=datetime.now(UTC),
        )
        session.add(row)
        session.execute(
            update(StepRow)
            .where(*self._step(layer.step), StepRow.ended_at.is_(None))
            .values(state=RunState.SUCCEEDED, ended_at=row.committed_at)
        )

    def drop_layers(self, number: int) -> None:
        """Forget the layers from ``number`` on: their files are gone, or not to be used."""
        with self.writing() as session:
            session.execute(delete(LayerRow).where(LayerRow.build_id == self._id, LayerRow.number >= number))

    def outputs(self) -> dict[str, RunOutput]:
        """Return what distributors have made so far, or why they failed, by the run output's name."""
        with self._database.session() as session:
            return {output.name: output for output in outputs_of(session, self._id)}

    def distributed(self, output: RunOutput) -> None:
        """Record what a distributor made, or why it failed, in place of what an earlier attempt says."""
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
        mine = (RunOutputRow.build_id == self._id, RunOutputRow.name == output.name)
        with self.writing() as session:
            session.execute(delete(RunOutputRow).where(*mine))
            session.add(row)


def outputs_of(session: Session, build_id: str) -> tuple[RunOutput, ...]:
    """Return a build's run outputs."""
    rows = session.scalars(
        select(RunOutputRow).where(RunOutputRow.build_id == build_id).order_by(RunOutputRow.id)
    )
    return tuple(_output(row) for row in rows)


def all_outputs(session: Session, among: Collection[str] | None = None) -> dict[str, tuple[RunOutput, ...]]:
    """Return the run outputs of all builds, or of those ``among`` some, by their ids."""
    asked = select(RunOutputRow).order_by(RunOutputRow.build_id, RunOutputRow.id)
    if among is not None:
        asked = asked.where(RunOutputRow.build_id.in_(among))
    rows = session.scalars(asked)
    of_builds = itertools.groupby(rows, key=lambda row: row.build_id)
    return {build_id: tuple(map(_output, outputs)) for build_id, outputs in of_builds}


def _output(row: RunOutputRow) -> RunOutput:
    return RunOutput(
        name=row.name,
        kind=row.kind,
        artifact_id=row.artifact_id,
        artifact_uri=row.artifact_uri,
        tags=row.tags,
        error=row.error,
    )


def _layer(row: LayerRow) -> Layer:
    return Layer(
        number=row.number,
        step=row.step,
        host=row.host,
        path=Path(row.path),
        digest=row.digest,
        size_bytes=row.size_bytes,
        deprovisioning=decoded(row.deprovisioning),
        provisioning=Provisioning(row.provisioning) if row.provisioning else None,
    )


def encoded(script: bytes | None) -> str | None:
    """Return a script of a guest as the database has it."""
    return None if script is None else base64.b64encode(script).decode()


def decoded(script: str | None) -> bytes | None:
    """Return a script of a guest as the guest has it."""
    return None if script is None else base64.b64decode(script)
