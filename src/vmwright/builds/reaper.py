"""Removing what dead processes have left on this host: the ledger's rows whose owner is gone."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.builds.records import end_interrupted
from vmwright.disks import attach, mounts
from vmwright.errors import VmwrightError
from vmwright.images import open_images
from vmwright.machines.nspawn import remove_container
from vmwright.process import kill_marked
from vmwright.state.resources import Ledger, Resource, ResourceKind, abandoned

if TYPE_CHECKING:
    from vmwright.events import Events
    from vmwright.settings import Settings
    from vmwright.state.database import Database


async def reap(database: Database, events: Events, *, settings: Settings) -> None:
    """Remove what was left, the newest first, and record the builds that it belonged to as failed."""
    end_interrupted(database)
    _remove_unfinished_versions(database, events, settings)
    left = abandoned(database)
    if not left:
        return
    builds = len({resource.build_id for resource in left if resource.build_id})
    of = f"{builds} interrupted build{'s' * (builds != 1)}" if builds else "an interrupted command"
    events.note(f"Clearing up after {of}: {len(left)} resources")
    ledger = Ledger(database)
    for resource in left:
        try:
            await remove(resource)
        except (VmwrightError, OSError) as error:
            events.warn(f"{resource.kind} {resource.identity} could not be removed: {error}")
        else:
            ledger.release(resource)


def _remove_unfinished_versions(database: Database, events: Events, settings: Settings) -> None:
    try:
        open_images(settings, database).versions.remove_unfinished()
    except VmwrightError as error:
        events.warn(f"An unfinished image version could not be removed: {error}")


async def remove(resource: Resource) -> None:
    """Remove one resource of this host; does nothing where it is gone."""
    match resource.kind:
        case ResourceKind.PROCESS:
            kill_marked(resource.identity)
        case ResourceKind.MOUNT:
            await mounts.unmount(Path(resource.identity))
        case ResourceKind.LOOP:
            await attach.detach(Path(resource.identity))
        case ResourceKind.CGROUP:
            await remove_container(resource.identity)
        case ResourceKind.PATH:
            await asyncio.to_thread(_remove_path, Path(resource.identity))


def _remove_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
