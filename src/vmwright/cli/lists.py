"""The commands that list what is recorded: images, runs, a run's log; as a table, or JSON with ``id``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.artifacts import ArtifactStore
from vmwright.builds import records
from vmwright.builds.log import FILE_NAME
from vmwright.cli.running import opened
from vmwright.cli.screen import print_json, table
from vmwright.cli.words import duration, size
from vmwright.errors import VmwrightError
from vmwright.images.library import ImageLibrary

if TYPE_CHECKING:
    from vmwright.builds.records import RunRecord
    from vmwright.images.library import ManagedImageRecord


def images(*, as_json: bool) -> None:
    """List managed images, newest first."""
    with opened() as (settings, database):
        found = ImageLibrary(database, ArtifactStore(settings.home, database)).list()
    if as_json:
        print_json([image.as_resource() for image in found])
        return
    table(("NAME", "OS", "GEN", "SIZE", "CREATED", "ID"), [_image_row(image) for image in found])


def runs(*, as_json: bool) -> None:
    """List builds, newest first."""
    with opened() as (_, database):
        found = records.runs(database)
    if as_json:
        print_json([run.as_document() for run in found])
        return
    table(("ID", "NAME", "STATE", "STARTED", "TOOK", "MACHINE"), [_run_row(run) for run in found])


def logs(run: str) -> None:
    """Print the customization.log of a build."""
    with opened() as (_, database):
        log = Path(records.find_run(database, run).folder) / FILE_NAME
        if not log.exists():
            raise VmwrightError(f"The log of this build is gone: {log}")
    print(log.read_text(errors="replace"), end="")


def _image_row(image: ManagedImageRecord) -> tuple[str, ...]:
    created = f"{image.created_at.astimezone():%Y-%m-%d %H:%M}"
    facts = image.facts
    return (image.name, facts.os_name, facts.generation, size(facts.size_bytes), created, image.resource_id)


def _run_row(run: RunRecord) -> tuple[str, ...]:
    took = duration((run.ended_at - run.started_at).total_seconds()) if run.ended_at else "-"
    state = f"{run.run_state} ({run.run_sub_state})" if run.run_sub_state else run.run_state
    return (
        run.id[:8],
        run.name,
        state,
        f"{run.started_at.astimezone():%Y-%m-%d %H:%M}",
        took,
        run.machine or "-",
    )
