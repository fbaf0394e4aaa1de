"""What can be refused before a build begins: folders and images that cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts import ArtifactStore
from vmwright.artifacts.publish import check_writable
from vmwright.builds.hosting import choose_machine
from vmwright.errors import DistributeError, UnsupportedError
from vmwright.images import ImageLibrary
from vmwright.template.model import ManagedImage, OsType

if TYPE_CHECKING:
    from vmwright.builds.build import BuildRequest
    from vmwright.settings import Settings
    from vmwright.state.database import Database


async def check_request(request: BuildRequest, settings: Settings, database: Database) -> None:
    """Check that this host has a machine for the build, and that its results can be put where they should go.

    :raises UnsupportedError: it has none, or one cannot; said before anything starts.
    """
    # this version builds Linux guests; what the source really is, is only known once it is there
    await choose_machine(request.machine, OsType.LINUX, settings)
    library = ImageLibrary(database, ArtifactStore(settings.home, database))
    try:
        check_writable(request.out or settings.home)
        for distributor in request.template.distribute:
            if isinstance(distributor, ManagedImage):
                library.check_location(distributor.image_id, distributor.location)
    except DistributeError as error:
        raise UnsupportedError(error.message, target=error.target, hint=error.hint) from None
