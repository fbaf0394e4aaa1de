"""What the guest booted from before a container's steps changed it: kept for whoever finishes the build."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vmwright.builds import sharing
from vmwright.machines.machine import MachineKind

if TYPE_CHECKING:
    from vmwright.builds.build import Build
    from vmwright.builds.stage import Stage
    from vmwright.machines.boot_files import BootFiles

# In the build's folder, and under its name in the shared store.
FILE_NAME = "boot-files.json"


async def note(build: Build, stage: Stage, *, is_fresh: bool) -> None:
    """Keep what the guest boots from, unless that has been done.

    A virtual machine boots what it writes; it is asked only where a container had the disk before.

    :param is_fresh: whether no step has changed the disk yet; else that is not known any more.
    """
    if stage.machine.kind is MachineKind.CONTAINER and await read(build) is None:
        found = dict(await stage.machine.boot_files()) if is_fresh else {}
        await keep(build, json.dumps(found).encode())


async def keep(build: Build, data: bytes) -> None:
    """Keep what the guest booted from, as ``read`` returns it."""
    (build.root / FILE_NAME).write_bytes(data)
    await sharing.keep(build, FILE_NAME, data)


async def read(build: Build) -> bytes | None:
    """Return what was kept as it is, to be kept for another build."""
    return await sharing.kept(build, FILE_NAME)


async def kept(build: Build) -> BootFiles | None:
    """Return what was kept, None where no container has had the disk."""
    data = await read(build)
    return None if data is None else dict(json.loads(data))
