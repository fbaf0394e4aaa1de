"""The small files of a build, its logs among them, in the store that hosts share.

Without such a store nothing happens here: the files of this host are all there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.builds.log import FILE_NAME, VALIDATION
from vmwright.state.host import host_id

if TYPE_CHECKING:
    from vmwright.builds.build import Build


async def keep(build: Build, name: str, data: bytes) -> str | None:
    """Store a small file of the build; return its key, None where hosts share no store."""
    artifacts = build.images.artifacts
    await artifacts.put_bytes(_key(build, name), data)
    return _key(build, name) if artifacts.shared else None


async def kept(build: Build, name: str) -> bytes | None:
    """Return a small file of the build, from its folder or from the store; None where there is none."""
    file = build.root / name
    if file.exists():
        return file.read_bytes()
    return await build.images.artifacts.get_bytes(_key(build, name))


async def share_logs(build: Build) -> None:
    """Store the build's logs as they are now."""
    for name in (FILE_NAME, VALIDATION):
        path = build.root / name
        if path.exists():
            build.records.log(name, path, key=await keep(build, name, path.read_bytes()))


async def bring_logs(build: Build) -> None:
    """Have the logs of earlier attempts on this host, to go on in them.

    What this host has of a log that has gone on elsewhere is not all of it.
    """
    for name in (FILE_NAME, VALIDATION):
        if build.records.log_host(name) in {None, host_id()}:
            continue
        if (data := await build.images.artifacts.get_bytes(_key(build, name))) is not None:
            (build.root / name).write_bytes(data)


def _key(build: Build, name: str) -> str:
    return f"builds/{build.id}/{name}"
