"""What the cache has of a build's finished disk, and what the build leaves of it to later ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.artifacts.duplicates import Placed, duplicate
from vmwright.artifacts.sums import ENDING, read_sums, sums_of
from vmwright.builds.layers import layer_files
from vmwright.caching.outputs import ARTIFACT, CachedOutput, CachedOutputs
from vmwright.distributors.made_before import MadeFile
from vmwright.errors import VmwrightError
from vmwright.state.resources import ResourceKind
from vmwright.template.model import Vhd

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from vmwright.artifacts.publish import Published
    from vmwright.artifacts.sums import Sums
    from vmwright.builds.build import Build


class CachedImage:
    """The finished disk of a build, as the cache has it; see ``MadeBefore``.

    :param disk: the file of its generalized layer.
    :param recorded: returns once the cache has that layer, if it is kept.
    """

    def __init__(self, build: Build, disk: Path, *, recorded: Callable[[], Awaitable[None]]) -> None:
        self.disk = disk
        self._build = build
        self._outputs = CachedOutputs(build.database, disk)
        self._recorded = recorded
        self._checked: dict[str, MadeFile] = {}
        self._has_said = False

    async def has_all(self) -> bool:
        """Whether nothing need be made of the disk: each file is what it was, and the artifact is there."""
        template, request = self._build.template, self._build.request
        has_images = any(not isinstance(one, Vhd) for one in template.distribute)
        if has_images and not await self._has_artifact():
            return False
        files = await asyncio.gather(*map(self.file, {ending for _, ending in request.files}))
        sums_whole = request.sums or self._build.settings.sums
        return all(one is not None and (one.sha256 or not sums_whole) for one in files)

    async def file(self, ending: str) -> MadeFile | None:
        """Return a file where it is what it was: by its length and time, and by its data, read once a day."""
        if ending in self._checked:
            return self._checked[ending]
        found = self._outputs.find(ending)
        if found is None or found.path is None:
            return None
        sums = self._kept_sums(found) if found.is_known_whole(self._outputs.now()) else None
        if sums is None and (sums := await _sums_of(found, found.path)):
            self._outputs.checked(ending)
        if sums is None:
            self._build.events.warn(
                f"The {ending} in the cache is damaged, changed or gone ({found.path}): it is made anew"
            )
            self._outputs.drop(ending)
            return None
        self._checked[ending] = MadeFile(path=found.path, sums=sums, sha256=found.sha256)
        return self._checked[ending]

    async def keep_file(self, ending: str, made: Published) -> None:
        """Keep a file by another name, where that takes no copy."""
        try:
            await self._recorded()
            await self._keep_file(ending, made)
        except (VmwrightError, OSError) as error:
            self._build.events.warn(f"{made.path.name} is not kept in the cache: {error}")

    async def artifact(self) -> str | None:
        """Return the digest of an artifact, which may be gone meanwhile."""
        found = self._outputs.find(ARTIFACT)
        return found.sha256 if found else None

    async def keep_artifact(self, digest: str) -> None:
        """Keep which artifact was made; the store decides how long it has it."""
        try:
            await self._recorded()
            size = self._build.images.artifacts.record(digest).size_bytes
            self._outputs.keep(CachedOutput(form=ARTIFACT, size_bytes=size, sha256=digest))
        except VmwrightError as error:
            self._build.events.warn(f"The stored image is not kept in the cache: {error.message}")

    def linked(self) -> None:
        """Say, once, that what is kept must not be changed by the user's name for it."""
        if not self._has_said:
            self._has_said = True
            self._build.events.note(
                "The finished files share their blocks with the cache and are read-only: copy one before "
                "changing it"
            )

    def _kept_sums(self, file: CachedOutput) -> Sums | None:
        """Return the sums that were kept beside a file; None where they are not its own."""
        beside = self._outputs.find(f"{file.form}{ENDING}")
        if beside is None or beside.path is None:
            return None
        try:
            sums = read_sums(beside.path)
        except (VmwrightError, OSError):
            return None
        return sums if sums.digest == file.data_digest else None

    async def _has_artifact(self) -> bool:
        digest = await self.artifact()
        try:
            return digest is not None and bool(await self._build.images.artifacts.fetch(digest))
        except VmwrightError:
            return False

    async def _keep_file(self, ending: str, made: Published) -> None:
        files = layer_files(self._build)
        kept, beside = files.new(ending), files.new(f"{ending}{ENDING}")
        if kept.parent.stat().st_dev != made.path.stat().st_dev:
            return
        sums = made.sums or await sums_of(made.path)
        claimed = self._build.ledger.claimed
        with claimed(ResourceKind.PATH, kept), claimed(ResourceKind.PATH, beside):
            beside.write_text(sums.text, encoding="ascii")
            if await duplicate(made.path, kept) is Placed.LINK:
                self.linked()
            for form, path in ((ending, kept), (f"{ending}{ENDING}", beside)):
                found = path.stat()
                output = CachedOutput(
                    form=form,
                    size_bytes=found.st_size,
                    path=path,
                    mtime_ns=found.st_mtime_ns,
                    sha256=made.sha256 if path is kept else None,
                    data_digest=sums.digest,
                )
                if not self._outputs.keep(output):
                    await asyncio.to_thread(path.unlink)


async def _sums_of(output: CachedOutput, path: Path) -> Sums | None:
    """Return the sums of a file, None where it is not what it was."""
    try:
        sums = await sums_of(path) if output.seems_whole() else None
    except OSError:
        return None
    return sums if sums and sums.digest == output.data_digest else None
