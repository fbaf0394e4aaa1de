"""The finished image as one file of the store, made once however many distributors want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.disks import conversion
from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import VmwrightError
from vmwright.events import Progress
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts import Artifact, ArtifactStore
    from vmwright.distributors.finished_image import FinishedImage
    from vmwright.distributors.made_before import MadeBefore
    from vmwright.events import Events
    from vmwright.state.resources import Ledger


class StoredImage:
    """Converts the disk when the first distributor asks for it; the others get the same artifact.

    :param part: where it is converted to: a path of this attempt's own.
    """

    def __init__(
        self,
        image: FinishedImage,
        store: ArtifactStore,
        *,
        part: Path,
        ledger: Ledger,
        events: Events,
        made_before: MadeBefore | None = None,
    ) -> None:
        self._image = image
        self._store = store
        self._part = part
        self._ledger = ledger
        self._events = events
        self._made_before = made_before
        self._artifact: Artifact | None = None

    async def artifact(self) -> Artifact:
        """Return the image as a qcow2 that stands on its own.

        :raises ProcessError: it cannot be written, in qemu-img's words.
        """
        if self._artifact is None:
            self._artifact = await self._found()
        if self._artifact is None:
            with self._ledger.claimed(ResourceKind.PATH, self._part):
                try:
                    self._artifact = await self._made()
                finally:
                    self._part.unlink(missing_ok=True)
            if self._made_before:
                await self._made_before.keep_artifact(self._artifact.digest)
        return self._artifact

    def drop_unused(self) -> None:
        """Remove the artifact again where no distributor has put it to use."""
        if self._artifact is not None:
            self._store.remove_unused(self._artifact.digest)

    async def _found(self) -> Artifact | None:
        """Return the artifact that was made of this disk before, None where there is none any more."""
        digest = await self._made_before.artifact() if self._made_before else None
        if digest is None:
            return None
        try:
            return await self._store.fetch(digest)
        except VmwrightError:
            return None

    async def _made(self) -> Artifact:
        def progress(done: int, total: int) -> None:
            self._events.say(Progress(what="the image", done=done, total=total))

        await conversion.convert(self._image.disk, self._part, to=DiskFormat.QCOW2, on_progress=progress)
        return await self._store.adopt(self._part, DiskFormat.QCOW2)
