"""The whole library of one $VMWRIGHT_HOME: managed images, galleries and versions, on one store of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.artifacts import ArtifactStore, RegionStores, open_shared_store
from vmwright.images.galleries import GalleryLibrary
from vmwright.images.library import ImageLibrary
from vmwright.images.replication import Replication
from vmwright.images.versions import VersionLibrary

if TYPE_CHECKING:
    from vmwright.images.library import ManagedImageRecord
    from vmwright.images.records import VersionRecord
    from vmwright.settings import Settings
    from vmwright.state.database import Database


@dataclass(frozen=True, slots=True)
class Images:
    """The parts of the library, and the stores that they keep their bytes in."""

    artifacts: ArtifactStore
    stores: RegionStores
    managed: ImageLibrary
    galleries: GalleryLibrary
    versions: VersionLibrary
    replication: Replication

    def get(self, identity: str) -> ManagedImageRecord | VersionRecord:
        """Return the image or version of an id, a name, or a short name ``gallery/definition[/number]``.

        :raises VmwrightError: there is none, or there are several.
        """
        if is_in_gallery(identity):
            return self.versions.get(identity)
        return self.managed.get(identity)


def open_images(settings: Settings, database: Database) -> Images:
    """Return the library whose records are in ``database``."""
    artifacts = ArtifactStore(settings.home, database, open_shared_store(settings, database))
    stores = RegionStores(settings)
    return Images(
        artifacts=artifacts,
        stores=stores,
        managed=ImageLibrary(database, artifacts),
        galleries=GalleryLibrary(database),
        versions=VersionLibrary(database, artifacts, stores),
        replication=Replication(database, artifacts, stores),
    )


def is_in_gallery(identity: str) -> bool:
    """Return whether an id or name is one of a gallery, or of something in one."""
    if identity.startswith("/"):
        return "/providers/microsoft.compute/galleries/" in identity.lower()
    return "/" in identity
