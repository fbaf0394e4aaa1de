"""The stores of the regions: a folder each, with the replicas of gallery versions as read-only files.

``<folder>/<subscription>/<resource group>/<gallery>/<definition>/<number>.qcow2``. A replica is complete
when its name appears. It shares its blocks with the library's artifact where the file system can do that,
is a hard link where it cannot, and a copy on another file system.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from typing import TYPE_CHECKING

from vmwright.artifacts import files
from vmwright.artifacts.duplicates import READ_ONLY, Placed, duplicate
from vmwright.artifacts.publish import check_writable
from vmwright.errors import DistributeError, ProcessError
from vmwright.regions import api_name
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path, PurePosixPath

    from vmwright.artifacts.store import Artifact
    from vmwright.settings import Settings
    from vmwright.state.resources import Ledger

# replicas that are made at the same time: more only wait for the disk
AT_ONCE = 4
# of a region, as the API writes it; it becomes the name of a folder
REGION = re.compile(r"[a-z0-9][a-z0-9-]*")


class RegionStores:
    """The folder of every region: the configured one, or ``regions/<region>`` in $VMWRIGHT_HOME."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home / "regions"
        self._configured: Mapping[str, Path] = settings.stores

    def folder(self, region: str) -> Path:
        """Return the folder of a region, which may be spelled in any way.

        :raises DistributeError: it is not a name, but perhaps a path.
        """
        name = api_name(region)
        if not REGION.fullmatch(name):
            raise DistributeError(
                f"{region!r} is not the name of a region",
                target=region,
                hint="letters, digits and hyphens, such as westus2",
            )
        return self._configured.get(name) or self._home / name

    def check(self, region: str) -> None:
        """Check, before a build, that replicas can be put into a region.

        :raises DistributeError: its folder cannot be made or written.
        """
        folder = self.folder(region)
        try:
            check_writable(folder)
        except DistributeError as error:
            raise DistributeError(
                f"The store of the region {api_name(region)} cannot be used: {error.message}",
                target=str(folder),
                hint=_hint(region),
            ) from None

    def path(self, region: str, relative: PurePosixPath, disk_format: str) -> Path:
        """Return where a replica lies; ``relative`` is its version's path, without an ending."""
        return self.folder(region) / relative.with_name(f"{relative.name}.{disk_format}")

    async def place(
        self,
        artifact: Artifact,
        path: Path,
        *,
        region: str,
        naming: Callable[[], AbstractContextManager[object]],
        ledger: Ledger,
    ) -> Placed:
        """Make a replica; its row, or another record of ``path``, is written before.

        :param naming: is entered while the replica gets its name, and may refuse that.
        :raises DistributeError: the store cannot be written, is full, or has another file of that name.
        """
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        claim = ledger.claim(ResourceKind.PATH, part)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            placed = await _duplicate(artifact, part)
            with naming():
                _give_name(part, path)
        except (ProcessError, OSError) as error:
            raise DistributeError(
                f"The replica for the region {api_name(region)} cannot be made at {path}: {error}",
                target=str(path),
                hint=_hint(region),
            ) from error
        finally:
            remove_file(part)
            ledger.release(claim)
        return placed


def remove_file(path: Path) -> None:
    """Remove a replica; one that is gone, or whose folders are, is no error."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def refuse_existing(path: Path) -> None:
    """Refuse a path at which a file lies that this library has no record of.

    :raises DistributeError: there is one.
    """
    if os.path.lexists(path):
        raise DistributeError(
            f"{path} exists, and is none of this library's",
            target=str(path),
            hint="give each $VMWRIGHT_HOME stores of its own, or remove that file",
        )


async def is_intact(path: Path, artifact: Artifact) -> bool:
    """Return whether a replica has the bytes of its artifact; one that is the same file is not read."""
    if not path.exists() or path.stat().st_size != artifact.size_bytes:
        return False
    if artifact.path.exists() and path.samefile(artifact.path):
        return True
    return await files.sha256_of(path) == artifact.digest


def _give_name(part: Path, path: Path) -> None:
    """Let a whole file appear under its name; a link takes the place of no other, as a rename would."""
    refuse_existing(path)
    try:
        os.link(part, path)
    except FileExistsError:
        refuse_existing(path)
    except OSError:
        part.rename(path)
    files.flush_now(path.parent)


async def _duplicate(artifact: Artifact, part: Path) -> Placed:
    """Make the file of a replica; only one that is a copy is read, and compared by its digest."""
    how = await duplicate(artifact.path, part)
    if how is Placed.COPY and await files.sha256_of(part) != artifact.digest:
        raise DistributeError(f"The copy of {artifact.path} differs from it", target=str(artifact.path))
    if how is not Placed.LINK:
        part.chmod(READ_ONLY)
        await files.flush(part)
    return how


def _hint(region: str) -> str:
    name = api_name(region)
    return f'check that folder, or name another one in vmwright.toml: [stores] {name} = "/folder"'
