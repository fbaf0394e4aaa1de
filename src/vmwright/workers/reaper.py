"""Removing what dead processes have left on this host: their programs, and what the ledger says was theirs.

Several reapers may work at once: each row is taken over before it is worked on. A reaper that dies in the
middle leaves rows of its own, for the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.disks import attach, mounts
from vmwright.errors import ProcessError, VmwrightError
from vmwright.images import open_images
from vmwright.machines.cgroup_trees import kill_all
from vmwright.machines.nspawn import remove_container
from vmwright.marks import kill_marked, kill_owned
from vmwright.state.host import boot_id
from vmwright.state.resources import (
    Resource,
    ResourceKind,
    abandoned,
    dead_owners,
    hand_back,
    has_another_owner,
    strike_out,
    take_over,
)

if TYPE_CHECKING:
    from vmwright.events import Events
    from vmwright.settings import Settings
    from vmwright.state.database import Database


async def reap(database: Database, events: Events, *, settings: Settings) -> None:
    """Remove what was left on this host, the newest first, and image versions that nobody will finish."""
    _remove_unfinished_versions(database, events, settings)
    await clear_up(database, events)


async def keep_reaping(database: Database, events: Events, *, settings: Settings, every: float) -> None:
    """Reap again and again, every so many seconds, until this is cancelled; trouble is said, not raised."""
    while True:
        try:
            await reap(database, events, settings=settings)
        except (VmwrightError, OSError) as error:
            events.warn(f"What dead processes left could not be looked for: {error}")
        await asyncio.sleep(every)


async def clear_up(database: Database, events: Events) -> None:
    """Kill what the dead have started and remove what they own on this host."""
    await asyncio.to_thread(kill_left, database)
    left = abandoned(database)
    if not left:
        return
    builds = len({resource.build_id for resource in left if resource.build_id})
    of = f"{builds} interrupted build{'s' * (builds != 1)}" if builds else "an interrupted command"
    events.note(f"Clearing up after {of}: {len(left)} resources")
    for resource in left:
        try:
            await clear(database, resource)
        except (VmwrightError, OSError) as error:
            events.warn(f"{resource.kind} {resource.identity} could not be removed: {error}")


def kill_left(database: Database) -> None:
    """Kill what the dead have started on this host, at once, without removing anything."""
    kill_owned(*(owner.token for owner in dead_owners(database)))
    for resource in abandoned(database):
        # by now, after a restart or where it lives, somebody else's container may have the name
        is_theirs = resource.owner.boot != boot_id() or has_another_owner(database, resource)
        if resource.kind is ResourceKind.CGROUP and not is_theirs:
            kill_all(resource.identity)


async def clear(database: Database, resource: Resource) -> None:
    """Remove one resource and its row, where it is there and still its dead owner's."""
    is_gone = resource.kind is not ResourceKind.PATH and resource.owner.boot != boot_id()
    # a restart takes away all but files: what has this name now, or a new owner, is somebody else's
    if is_gone or has_another_owner(database, resource):
        strike_out(database, resource)
        return
    mine = take_over(database, resource)
    if mine is None:
        return
    with contextlib.ExitStack() as unless_removed:
        unless_removed.callback(hand_back, database, mine, resource.owner)
        await remove(mine)
        unless_removed.pop_all()
    strike_out(database, mine)


def _remove_unfinished_versions(database: Database, events: Events, settings: Settings) -> None:
    try:
        open_images(settings, database).versions.remove_unfinished()
    except VmwrightError as error:
        events.warn(f"An unfinished image version could not be removed: {error}")


async def remove(resource: Resource) -> None:
    """Remove one resource of this host; does nothing where it is gone.

    :raises VmwrightError: it stays in use; something that is not ours is mounted inside.
    """
    match resource.kind:
        case ResourceKind.PROCESS:
            await asyncio.to_thread(kill_marked, resource.identity)
        case ResourceKind.MOUNT:
            await _unmount(Path(resource.identity))
        case ResourceKind.LOOP:
            await attach.detach(Path(resource.identity))
        case ResourceKind.CGROUP:
            await remove_container(resource.identity)
        case ResourceKind.PATH:
            await asyncio.to_thread(_remove_path, Path(resource.identity))


async def _unmount(path: Path) -> None:
    if mounts.mounted(path):
        await mounts.thaw(path)  # its container may have died without it
        await mounts.unmount(path)


def _remove_path(path: Path) -> None:
    """Remove a file or folder; the ledger's own mounts are newer than the folder, so they are gone by now."""
    if inside := mounts.mounts_in(path):
        raise ProcessError(f"{inside[0]} is mounted, and not by a build", hint=f"umount {inside[0]}")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
