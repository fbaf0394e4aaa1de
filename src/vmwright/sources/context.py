"""What the sources work with."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from vmwright.downloads import Downloader, Origin
from vmwright.sources import debian
from vmwright.sources.catalogue import Catalogue
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmwright.artifacts import ArtifactStore
    from vmwright.events import Events
    from vmwright.images import ImageLibrary, Images, VersionLibrary
    from vmwright.settings import DebianSettings, Settings
    from vmwright.sources.debian import DebianDisk
    from vmwright.state.database import Database
    from vmwright.state.resources import Ledger


class Bootstrap(Protocol):
    """What makes a Debian 12 disk in a folder: ``debian.bootstrap``."""

    async def __call__(
        self, folder: Path, /, *, settings: DebianSettings, events: Events, ledger: Ledger
    ) -> DebianDisk:
        """Return the disk, its facts and its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """The rooms below, for one command or build; ``bootstrap`` makes the built-in Debian."""

    settings: Settings
    catalogue: Catalogue
    artifacts: ArtifactStore
    images: ImageLibrary
    versions: VersionLibrary
    downloader: Downloader
    events: Events
    ledger: Ledger
    bootstrap: Bootstrap = debian.bootstrap
    origin: Origin = Origin.LOCAL

    @classmethod
    def of(
        cls, settings: Settings, database: Database, images: Images, *, events: Events, ledger: Ledger
    ) -> Self:
        """Return the context of a library of images, for a build or a command."""
        return cls(
            settings=settings,
            catalogue=Catalogue(database, images.artifacts),
            artifacts=images.artifacts,
            images=images.managed,
            versions=images.versions,
            downloader=Downloader(settings, events),
            events=events,
            ledger=ledger,
        )

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Give a folder on the store's file system that is removed at the end."""
        folder = self.settings.home / "staging" / str(uuid.uuid4())
        claim = self.ledger.claim(ResourceKind.PATH, folder)
        try:
            folder.mkdir(parents=True, mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                self.ledger.release(claim)
