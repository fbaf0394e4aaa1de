"""Removing what is left of builds that did not succeed, and of artifacts, when its time or room is over."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from vmwright.artifacts.garbage import ArtifactGarbage, Collected, removed_file, size_on_disk
from vmwright.artifacts.homes import folders_of_others
from vmwright.caching.pruning import bound
from vmwright.errors import VmwrightError
from vmwright.images import open_images
from vmwright.runs import layer_files
from vmwright.runs.layer_files import LayerFiles
from vmwright.state.database import lock
from vmwright.state.host import host_id
from vmwright.state.tables import BuildRow, InputRow, LayerRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from vmwright.events import Events
    from vmwright.settings import Settings
    from vmwright.state.database import Database

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class _Kept:
    """A build that has ended, with its files on this host."""

    build_id: str
    ended_at: datetime
    layers: tuple[Path, ...]
    inputs: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        return sum(map(size_on_disk, (*self.layers, *self.inputs)))


async def tell_of_others(database: Database, settings: Settings, events: Events) -> None:
    """Say how much of other databases is in the home, which is left alone; trouble is warned of."""
    try:
        size = await asyncio.to_thread(_of_others, database, settings)
    except (VmwrightError, OSError) as error:
        events.warn(f"What other databases have in {settings.home} could not be looked for: {error}")
        return
    if size:
        events.note(
            f"{settings.home} has {size / GIB:.2f} GiB of another database, which stay: artifacts and layers"
        )


async def collect(database: Database, settings: Settings, events: Events) -> Collected:
    """Remove the layers of builds that nobody resumes, then what nothing refers to; say what that gave.

    What a build that runs, or one that can still be resumed, an image, a version or a source refers to stays.
    What cannot be removed is warned of, and tried again the next time.
    """
    artifacts = open_images(settings, database).artifacts
    removed = await _collect_builds(database, settings, events)
    garbage = ArtifactGarbage(artifacts, database, events, now=datetime.now(UTC))
    removed += await garbage.collect(cache_bytes=int(settings.store.cache_gib * GIB))
    if removed.files:
        events.note(f"Removed {removed.files} unused files: {removed.size_bytes / GIB:.2f} GiB")
    return removed


async def _collect_builds(database: Database, settings: Settings, events: Events) -> Collected:
    removed = Collected()
    try:
        kept = await asyncio.to_thread(_ended_builds, database)
        with database.session() as session:
            now = database.now(session)
        for build in _to_drop(kept, settings, now):
            removed += await asyncio.to_thread(_drop, build, database, LayerFiles(settings.home, database))
        removed += await asyncio.to_thread(_drop_copies, database, settings)
        removed += await asyncio.to_thread(bound, database, settings)
    except (VmwrightError, OSError) as error:
        events.warn(f"The layers of a build that has ended could not be removed: {error}")
    return removed


def _ended_builds(database: Database) -> list[_Kept]:
    """Return the builds that have ended and left files on this host, the oldest first."""
    with database.session() as session:
        layers, inputs = _paths(session, LayerRow), _paths(session, InputRow)
    found = [
        _Kept(*ended, tuple(layers.get(ended, ())), tuple(inputs.get(ended, ())))
        for ended in {*layers, *inputs}
    ]
    return sorted(found, key=lambda build: build.ended_at)


def _paths(session: Session, table: type[LayerRow | InputRow]) -> dict[tuple[str, datetime], list[Path]]:
    """Return the files on this host of builds that have ended, by their ids and ends."""
    asked = (
        select(BuildRow.id, BuildRow.ended_at, table.path)
        .join(table, table.build_id == BuildRow.id)
        .where(table.host == host_id())
    )
    found: dict[tuple[str, datetime], list[Path]] = {}
    for build_id, ended_at, path in session.execute(asked):
        if ended_at is not None:
            found.setdefault((build_id, ended_at), []).append(Path(path))
    return found


def _to_drop(kept: list[_Kept], settings: Settings, now: datetime) -> Iterator[_Kept]:
    """Yield those whose days are over, then the oldest of the others until the rest fits."""
    left = sum(build.size_bytes for build in kept)
    for build in kept:
        is_over = now - build.ended_at >= timedelta(days=settings.keep.days)
        if not is_over and left <= settings.keep.gib * GIB:
            return
        left -= build.size_bytes
        yield build


def _of_others(database: Database, settings: Settings) -> int:
    """Return how many bytes in the home are of other databases."""
    layers = layer_files.folders_of_others(settings.home, database)
    folders = (*folders_of_others(settings.home, database), *layers)
    return sum(size_on_disk(path) for folder in folders for path in folder.rglob("*"))


def _drop_copies(database: Database, settings: Settings) -> Collected:
    """Remove the copies of other hosts' layers that builds had which have ended.

    A build without a row is another database's.
    """
    removed = Collected()
    for folder in settings.home.glob("builds/*/*/layers"):
        build_id = folder.parents[1].name
        with database.session() as session:
            lock(session, build_id)
            row = session.get(BuildRow, build_id, with_for_update=True)
            if row is None or row.ended_at is None:
                continue
            known = set(session.scalars(select(LayerRow.path).where(LayerRow.build_id == build_id)))
            for path in folder.iterdir():
                if str(path) not in known:
                    removed += removed_file(path)
        with contextlib.suppress(OSError):
            folder.rmdir()
    return removed


def _drop(build: _Kept, database: Database, files: LayerFiles) -> Collected:
    """Remove the rows of a build's files, so that nobody resumes from them, and then the files.

    Layers of other hosts that stand on them go with them. What of all these is in the shared store is then
    what no row refers to.
    """
    with database.session() as session:
        lock(session, build.build_id)
        row = session.get(BuildRow, build.build_id, with_for_update=True)
        if row is None or row.ended_at != build.ended_at:
            return Collected()  # it is resumed
        layers, inputs = LayerRow.build_id == build.build_id, InputRow.build_id == build.build_id
        lowest = session.scalar(select(func.min(LayerRow.number)).where(layers, LayerRow.host == host_id()))
        if lowest is not None:
            session.execute(delete(LayerRow).where(layers, LayerRow.number >= lowest))
        session.execute(delete(InputRow).where(inputs, InputRow.host == host_id()))
    removed = files.remove_unused(build.layers)
    for path in build.inputs:
        removed += removed_file(path)
        with contextlib.suppress(OSError):
            path.parent.rmdir()
    return removed
