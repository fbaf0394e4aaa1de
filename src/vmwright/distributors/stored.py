"""The finished image as one file of the store, made once however many distributors want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.disks import qemu_img
from vmwright.disks.qemu_img import DiskFormat
from vmwright.events import Progress

if TYPE_CHECKING:
    from vmwright.artifacts import Artifact, ArtifactStore
    from vmwright.distributors.finished_image import FinishedImage
    from vmwright.events import Events


class StoredImage:
    """Converts the disk when the first distributor asks for it; the others get the same artifact."""

    def __init__(self, image: FinishedImage, store: ArtifactStore, events: Events) -> None:
        self._image = image
        self._store = store
        self._events = events
        self._artifact: Artifact | None = None

    async def artifact(self) -> Artifact:
        """Return the image as a qcow2 that stands on its own.

        :raises ProcessError: it cannot be written, in qemu-img's words.
        """
        if self._artifact is None:
            # beside the layers, which are claimed and removed as a whole
            flat = self._image.disk.with_name("flat.qcow2")

            def progress(done: int, total: int) -> None:
                self._events.say(Progress(what="the image", done=done, total=total))

            await qemu_img.convert(self._image.disk, flat, to=DiskFormat.QCOW2, on_progress=progress)
            self._artifact = await self._store.adopt(flat, DiskFormat.QCOW2)
        return self._artifact

    def drop_unused(self) -> None:
        """Remove the artifact again where no distributor has put it to use."""
        if self._artifact is not None:
            self._store.remove_unused(self._artifact.digest)
