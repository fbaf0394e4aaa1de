"""Managed images (``Microsoft.Compute/images``): one artifact each, overwritten by a build of that id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from vmwright.artifacts.facts import columns_of, facts_of
from vmwright.errors import DistributeError, VmwrightError
from vmwright.images.ids import key_of
from vmwright.regions import api_name
from vmwright.state.database import lock
from vmwright.state.tables import ImageRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from vmwright.artifacts import Artifact, ArtifactStore
    from vmwright.artifacts.facts import ImageFacts
    from vmwright.state.database import Database, Writing

GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedImageRecord:
    """A managed image.

    :param resource_id: as its template wrote it; ids are compared without regard to case.
    :param digest: the SHA-256 of its artifact.
    :param tags: the template's artifactTags and VMImageBuilderSource (reference §11.1).
    """

    resource_id: str
    location: str
    digest: str
    facts: ImageFacts
    tags: Mapping[str, str]
    build_id: str | None
    created_at: datetime

    @property
    def name(self) -> str:
        """The last part of the resource id."""
        return self.resource_id.rstrip("/").rpartition("/")[2]

    def as_resource(self) -> dict[str, Any]:
        """Return the image as ``GET Microsoft.Compute/images/{name}`` answers it (reference §20)."""
        disk = {
            "osType": self.facts.os_type.value,
            "osState": "Generalized",
            "diskSizeGB": -(-self.facts.size_bytes // GIB),
            "caching": "None",
            "storageAccountType": "Standard_LRS",
        }
        return {
            "id": self.resource_id,
            "name": self.name,
            "type": "Microsoft.Compute/images",
            "location": self.location,
            "tags": dict(self.tags),
            "properties": {
                "storageProfile": {"osDisk": disk, "dataDisks": []},
                "provisioningState": "Succeeded",
                "hyperVGeneration": self.facts.generation.value,
            },
        }


class ImageLibrary:
    """The managed images of one $VMWRIGHT_HOME."""

    def __init__(self, database: Database, artifacts: ArtifactStore) -> None:
        self._database = database
        self._artifacts = artifacts

    def check_location(self, resource_id: str, location: str) -> None:
        """Check, before a build, that it may write an image: it stays where it is (reference §4).

        :raises DistributeError: the image exists in another location.
        """
        with self._database.session() as session:
            _check_location(session.get(ImageRow, key_of(resource_id)), location)

    def put(
        self,
        resource_id: str,
        *,
        location: str,
        artifact: Artifact,
        facts: ImageFacts,
        tags: Mapping[str, str],
        writing: Writing,
        build_id: str | None = None,
    ) -> ManagedImageRecord:
        """Create an image, or overwrite the one of that id; an artifact that it no longer needs is removed.

        :param writing: opens the transaction that does it.
        :raises DistributeError: the image exists in another location.
        """
        with writing() as session:
            lock(session, key_of(resource_id))
            older = session.get(ImageRow, key_of(resource_id))
            _check_location(older, location)
            replaced = older.digest if older else None
            row = ImageRow(
                key=key_of(resource_id),
                resource_id=resource_id,
                location=location,
                digest=artifact.digest,
                **columns_of(facts),
                tags=dict(tags),
                build_id=build_id,
                created_at=datetime.now(UTC),
            )
            record = _record(session.merge(row))
        if replaced and replaced != artifact.digest:
            self._artifacts.remove_unused(replaced)
        return record

    def update(self, resource_id: str, *, tags: Mapping[str, str]) -> ManagedImageRecord:
        """Change the tags of an image.

        :raises VmwrightError: there is none.
        """
        with self._database.session() as session:
            lock(session, key_of(resource_id))
            row = _one(session, resource_id)
            row.tags = dict(tags)
            return _record(row)

    def find(self, resource_id: str) -> ManagedImageRecord | None:
        """Return the image of that id, or None."""
        with self._database.session() as session:
            row = session.get(ImageRow, key_of(resource_id))
            return _record(row) if row else None

    def get(self, resource_id: str) -> ManagedImageRecord:
        """Return the image of that id, or, where just one has it, of that name.

        :raises VmwrightError: there is none, or several have that name.
        """
        with self._database.session() as session:
            return _record(_one(session, resource_id))

    def list(self) -> list[ManagedImageRecord]:
        """Return all images, newest first."""
        with self._database.session() as session:
            newest_first = select(ImageRow).order_by(ImageRow.created_at.desc(), ImageRow.key)
            return [_record(row) for row in session.scalars(newest_first)]

    def remove(self, resource_id: str) -> ManagedImageRecord:
        """Remove an image and, where nothing else uses it, its artifact; return what it was.

        :raises VmwrightError: there is none, or several have that name.
        """
        with self._database.session() as session:
            lock(session, _one(session, resource_id).key)
            session.expire_all()
            row = _one(session, resource_id)
            record = _record(row)
            session.delete(row)
        self._artifacts.remove_unused(record.digest)
        return record


def _one(session: Session, identity: str) -> ImageRow:
    if row := session.get(ImageRow, key_of(identity)):
        return row
    rows = [row for row in session.scalars(select(ImageRow)) if row.key.endswith(key_of(identity))]
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise VmwrightError(
            f"Several images are called {identity}",
            target=identity,
            hint=f"give the whole id: {', '.join(row.resource_id for row in rows)}",
        )
    raise VmwrightError(
        f"There is no image {identity}", target=identity, hint="vmwright images lists all there are"
    )


def _check_location(older: ImageRow | None, location: str) -> None:
    if older and api_name(older.location) != api_name(location):
        raise DistributeError(
            f"The image {older.resource_id} exists in {older.location}, so it cannot go to {location}",
            target=older.resource_id,
            hint=f"distribute it to {older.location}, or under another imageId",
        )


def _record(row: ImageRow) -> ManagedImageRecord:
    return ManagedImageRecord(
        resource_id=row.resource_id,
        location=row.location,
        digest=row.digest,
        facts=facts_of(row),
        tags=dict(row.tags),
        build_id=row.build_id,
        created_at=row.created_at,
    )
