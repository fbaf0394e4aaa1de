"""Galleries and their image definitions (``Microsoft.Compute/galleries``, ``.../images``)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from vmwright.errors import DistributeError, VmwrightError
from vmwright.images.records import DefinitionRecord, GalleryRecord, Identifier
from vmwright.images.rows import definition_of, gallery_of, plan_columns
from vmwright.nearest import nearest
from vmwright.state.database import lock
from vmwright.state.tables import DefinitionRow, GalleryRow, VersionRow
from vmwright.template.model import NO_TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from vmwright.artifacts.facts import ImageFacts
    from vmwright.images.ids import GalleryId
    from vmwright.state.database import Database
    from vmwright.template.model import Generation, OsType, PlanInfo

Row = TypeVar("Row", GalleryRow, DefinitionRow)


class GalleryLibrary:
    """The galleries and image definitions of one $VMWRIGHT_HOME; what is made twice is the one made first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_gallery(
        self, gallery: GalleryId, *, location: str, tags: Mapping[str, str] = NO_TAGS
    ) -> GalleryRecord:
        """Make a gallery, or return the one of that id."""
        row = GalleryRow(
            key=gallery.of_gallery.key,
            resource_id=str(gallery.of_gallery),
            location=location,
            tags=dict(tags),
            created_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            lock(session, row.key)
            return gallery_of(_insert(session, row))

    def create_definition(
        self,
        definition: GalleryId,
        *,
        location: str,
        os_type: OsType,
        generation: Generation,
        identifier: Identifier,
        plan: PlanInfo | None = None,
        tags: Mapping[str, str] = NO_TAGS,
    ) -> DefinitionRecord:
        """Make an image definition in a gallery, or return the one of that id.

        :raises VmwrightError: there is no such gallery.
        """
        row = DefinitionRow(
            key=definition.of_definition.key,
            gallery=definition.of_gallery.key,
            resource_id=str(definition.of_definition),
            location=location,
            os_type=os_type,
            generation=generation,
            publisher=identifier.publisher,
            offer=identifier.offer,
            sku=identifier.sku,
            plan=plan_columns(plan),
            tags=dict(tags),
            created_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            lock(session, row.gallery)
            if session.get(GalleryRow, row.gallery) is None:
                raise self._no_gallery(session, definition)
            return definition_of(_insert(session, row))

    def update_gallery(self, gallery: GalleryId, *, tags: Mapping[str, str]) -> GalleryRecord:
        """Change the tags of a gallery.

        :raises VmwrightError: there is none.
        """
        with self._database.session() as session:
            lock(session, gallery.of_gallery.key)
            row = session.get(GalleryRow, gallery.of_gallery.key)
            if row is None:
                raise self._no_gallery(session, gallery)
            row.tags = dict(tags)
            return gallery_of(row)

    def update_definition(self, definition: GalleryId, *, tags: Mapping[str, str]) -> DefinitionRecord:
        """Change the tags of an image definition.

        :raises VmwrightError: there is none.
        """
        with self._database.session() as session:
            lock(session, definition.of_definition.key)
            row = session.get(DefinitionRow, definition.of_definition.key)
            if row is None:
                raise self._no_definition(session, definition)
            row.tags = dict(tags)
            return definition_of(row)

    def galleries(self) -> list[GalleryRecord]:
        """Return all galleries, newest first."""
        with self._database.session() as session:
            rows = session.scalars(select(GalleryRow).order_by(GalleryRow.created_at.desc()))
            return [gallery_of(row) for row in rows]

    def definitions(self, gallery: GalleryId | None = None) -> list[DefinitionRecord]:
        """Return the image definitions (of one gallery), newest first."""
        asked = select(DefinitionRow).order_by(DefinitionRow.created_at.desc())
        if gallery:
            asked = asked.where(DefinitionRow.gallery == gallery.of_gallery.key)
        with self._database.session() as session:
            return [definition_of(row) for row in session.scalars(asked)]

    def find_gallery(self, gallery: GalleryId) -> GalleryRecord | None:
        """Return the gallery of that id, or None."""
        with self._database.session() as session:
            row = session.get(GalleryRow, gallery.of_gallery.key)
            return gallery_of(row) if row else None

    def find_definition(self, definition: GalleryId) -> DefinitionRecord | None:
        """Return the image definition of that id, or None."""
        with self._database.session() as session:
            row = session.get(DefinitionRow, definition.of_definition.key)
            return definition_of(row) if row else None

    def get_definition(self, definition: GalleryId) -> DefinitionRecord:
        """Return the image definition of that id.

        :raises VmwrightError: there is none; the hint names those that are like it.
        """
        with self._database.session() as session:
            row = session.get(DefinitionRow, definition.of_definition.key)
            if row is None:
                raise self._no_definition(session, definition)
            return definition_of(row)

    def check_fits(self, definition: GalleryId, facts: ImageFacts) -> None:
        """Check that an image may be a version of a definition; one that does not exist fits all.

        :raises DistributeError: the definition is for another OS, or another generation.
        """
        found = self.find_definition(definition)
        if found is None:
            return
        differs = [
            f"{name}: {here} there, {there} here"
            for name, here, there in (
                ("osType", found.os_type, facts.os_type),
                ("hyperVGeneration", found.generation, facts.generation),
            )
            if here != there
        ]
        if differs:
            raise DistributeError(
                f"BadSharedImageDistribute: the image does not fit the image definition {found.id} "
                f"({'; '.join(differs)})",
                target=str(found.id),
                hint=f"name another definition; one for {facts.os_type} of generation {facts.generation} "
                "is made by vmwright build where there is none of that name",
            )

    def remove_gallery(self, gallery: GalleryId) -> GalleryRecord:
        """Remove a gallery that has no image definitions.

        :raises VmwrightError: there is none, or it has some.
        """
        with self._database.session() as session:
            lock(session, gallery.of_gallery.key)
            row = session.get(GalleryRow, gallery.of_gallery.key)
            if row is None:
                raise self._no_gallery(session, gallery)
            below = select(DefinitionRow.resource_id).where(DefinitionRow.gallery == row.key)
            _refuse_nested(row.resource_id, list(session.scalars(below)))
            session.delete(row)
            return gallery_of(row)

    def remove_definition(self, definition: GalleryId) -> DefinitionRecord:
        """Remove an image definition that has no versions.

        :raises VmwrightError: there is none, or it has some.
        """
        with self._database.session() as session:
            lock(session, definition.of_definition.key)
            row = session.get(DefinitionRow, definition.of_definition.key)
            if row is None:
                raise self._no_definition(session, definition)
            below = select(VersionRow.resource_id).where(VersionRow.definition == row.key)
            _refuse_nested(row.resource_id, list(session.scalars(below)))
            session.delete(row)
            return definition_of(row)

    def _no_gallery(self, session: Session, gallery: GalleryId) -> VmwrightError:
        known = session.scalars(select(GalleryRow.resource_id)).all()
        return missing("gallery", str(gallery.of_gallery), list(known))

    def _no_definition(self, session: Session, definition: GalleryId) -> VmwrightError:
        known = session.scalars(select(DefinitionRow.resource_id)).all()
        return missing("image definition", str(definition.of_definition), list(known))


def default_identifier(definition: GalleryId) -> Identifier:
    """Return the identifier of a definition that nobody gave one: the names in its id."""
    return Identifier(
        publisher=definition.resource_group, offer=definition.gallery, sku=definition.definition
    )


def missing(what: str, wanted: str, known: list[str]) -> VmwrightError:
    """Return the error of something that is not there, with the one that may have been meant."""
    meant = nearest(wanted, known)
    hint = f"did you mean {meant}?" if meant else "vmwright images lists all images there are"
    return VmwrightError(f"There is no {what} {wanted}", target=wanted, hint=hint)


def _insert(session: Session, row: Row) -> Row:
    """Insert a row where there is none of its key, under a lock that keeps others from doing so."""
    if found := session.get(type(row), row.key):
        return found
    session.add(row)
    session.flush()
    return row


def _refuse_nested(resource_id: str, below: list[str]) -> None:
    if below:
        names = ", ".join(name.rpartition("/")[2] for name in below)
        raise VmwrightError(
            f"{resource_id} is not empty: it has {names}",
            target=resource_id,
            hint=f"remove those first: vmwright images rm {below[0]}",
        )
