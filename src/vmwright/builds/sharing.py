"""The small files of a build, its logs among them, in the store that hosts share.

Without such a store nothing is stored: the files of this host are all there is. Each attempt has keys of its
own for what it writes again and again: one that sleeps, and wakes up when others have the build, overwrites
nothing of theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.state.host import host_id

if TYPE_CHECKING:
    from vmwright.builds.build import Build


async def keep(build: Build, name: str, data: bytes) -> None:
    """Store a small file of the build, which stays as it is.

    :raises LostBuildError: another executor has the build.
    """
    await _put(build, _key(build, name), data)


async def kept(build: Build, name: str) -> bytes | None:
    """Return a small file of the build, from its folder or from the store; None where there is none."""
    file = build.root / name
    if file.exists():
        return file.read_bytes()
    return await build.images.artifacts.get_bytes(_key(build, name))


async def share_logs(build: Build) -> None:
    """Store the build's logs as they are now, in place of what there was of them.

    :raises LostBuildError: another executor has the build.
    """
    artifacts = build.images.artifacts
    if not artifacts.shared:
        return
    for log in build.records.logs():
        path = build.root / log.name
        if not path.exists():
            continue
        key = _key(build, f"{build.claim.attempt}/{log.name}")
        await _put(build, key, path.read_bytes())
        before = build.records.log_shared(log.name, key)
        if before and before != key:
            await artifacts.delete_bytes(before)


async def bring_logs(build: Build) -> None:
    """Have the logs of earlier attempts on this host, to go on in them.

    What this host has of a log that has gone on elsewhere is not all of it.
    """
    for log in build.records.logs():
        if log.host == host_id() or log.key is None:
            continue
        if (data := await build.images.artifacts.get_bytes(log.key)) is not None:
            (build.root / log.name).write_bytes(data)


async def _put(build: Build, key: str, data: bytes) -> None:
    build.records.check()
    await build.images.artifacts.put_bytes(key, data)


def _key(build: Build, name: str) -> str:
    return f"builds/{build.id}/{name}"
