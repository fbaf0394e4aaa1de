"""Finding versions in the database: which there are, which is the latest, what a short name stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.errors import VmwrightError
from vmwright.images import ids, numbers
from vmwright.images.galleries import missing
from vmwright.images.records import ProvisioningState
from vmwright.images.rows import version_of
from vmwright.state.tables import DefinitionRow, VersionRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vmwright.images.ids import GalleryId
    from vmwright.images.numbers import VersionNumber
    from vmwright.images.records import VersionRecord


def taken(session: Session, definition: GalleryId) -> set[VersionNumber]:
    """Return the numbers that a definition has, also of versions that are being made or removed."""
    return {_number_of(row) for row in _rows(session, definition)}


def latest(session: Session, definition: GalleryId) -> VersionRecord | None:
    """Return the version with the highest number of those that are not excluded from latest."""
    there = [row for row in _rows(session, definition) if is_there(row) and not row.exclude_from_latest]
    highest = max(there, key=_number_of, default=None)
    return version_of(session, highest) if highest else None


def key_of(version: GalleryId) -> str:
    """Return the key of a version; 1.02.3 is 1.2.3.

    :raises DistributeError: its number is none.
    """
    return version.of_version(str(numbers.parse(version.version))).key


def is_there(row: VersionRow) -> bool:
    """Return whether a version is complete, and not being removed."""
    return row.provisioning_state == ProvisioningState.SUCCEEDED


def named(session: Session, short: str) -> GalleryId:
    """Return the id that ``gallery/definition[/number]`` stands for; the number need not exist.

    :raises VmwrightError: no definition, or more than one, has these names.
    """
    gallery, _, rest = short.partition("/")
    definition, _, version = rest.partition("/")
    ending = f"/galleries/{gallery}/images/{definition}".lower()
    known = session.scalars(select(DefinitionRow)).all()
    fitting = [row.resource_id for row in known if row.key.endswith(ending)]
    if not fitting:
        shorts = [ids.parse(row.resource_id).short for row in known]
        raise missing("image definition", f"{gallery}/{definition}", shorts)
    if len(fitting) > 1:
        raise VmwrightError(
            f"Several image definitions are called {gallery}/{definition}",
            target=short,
            hint=f"give the whole id: {', '.join(fitting)}",
        )
    return ids.parse(fitting[0]).of_version(version)


def missing_version(session: Session, version: GalleryId) -> VmwrightError:
    """Return the error of a version that is not there, naming what is."""
    if session.get(DefinitionRow, version.of_definition.key) is None:
        known = session.scalars(select(DefinitionRow.resource_id)).all()
        return missing("image definition", str(version.of_definition), list(known))
    there = sorted((_number_of(row) for row in _rows(session, version) if is_there(row)), reverse=True)
    what = "no version that counts for latest" if version.is_latest else f"no version {version.version}"
    return VmwrightError(
        f"{version.of_definition} has {what}",
        target=str(version.of_definition),
        hint=f"it has {', '.join(map(str, there))}" if there else "it has none at all",
    )


def _number_of(row: VersionRow) -> VersionNumber:
    return numbers.parse(ids.parse(row.resource_id).version)


def _rows(session: Session, definition: GalleryId) -> list[VersionRow]:
    asked = select(VersionRow).where(VersionRow.definition == definition.of_definition.key)
    return list(session.scalars(asked))
