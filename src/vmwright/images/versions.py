"""Versions of image definitions, with a replica in the store of every region (reference §11)."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, delete, or_, select

from vmwright.artifacts.facts import columns_of
from vmwright.artifacts.region_stores import AT_ONCE, refuse_existing, remove_file
from vmwright.artifacts.together import each
from vmwright.errors import DistributeError, VmwrightError
from vmwright.images import ids, lookups, numbers
from vmwright.images.records import DEFAULT_STORAGE, NewVersion, ProvisioningState, VersionRecord
from vmwright.images.rows import plan_columns, version_of
from vmwright.regions import api_name
from vmwright.state.database import lock
from vmwright.state.service_tables import OperationRow
from vmwright.state.tables import BuildRow, DefinitionRow, ReplicaRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from vmwright.artifacts import ArtifactStore, RegionStores
    from vmwright.events import Events
    from vmwright.images.ids import GalleryId
    from vmwright.images.numbers import VersionNumber
    from vmwright.images.records import Replica
    from vmwright.state.database import Database, Writing
    from vmwright.state.resources import Ledger


class VersionLibrary:
    """The versions of one $VMWRIGHT_HOME; one that is being made or removed is not shown.

    Numbers and files of versions are given and taken under the lock of their definition.
    """

    def __init__(self, database: Database, artifacts: ArtifactStore, stores: RegionStores) -> None:
        self._database = database
        self._artifacts = artifacts
        self._stores = stores

    def check_new(self, version: GalleryId) -> None:
        """Check that a number which a template names is one, and free.

        :raises DistributeError: it is not a number, or there is a version of it, if only in the making.
        """
        number = numbers.parse(version.version)
        with self._database.session() as session:
            if number in lookups.taken(session, version):
                raise _not_new(version)

    async def add(
        self, new: NewVersion, *, writing: Writing, ledger: Ledger, events: Events
    ) -> VersionRecord:
        """Make a version: its number and rows first, then its replicas; where one fails, nothing stays.

        :param writing: opens the transactions that do it.
        :raises VmwrightError: there is no such definition.
        :raises DistributeError: its number is taken, there is none, or a store cannot be written.
        """
        version = self._begin(new, writing)
        made = None
        placed: list[Replica] = []

        @contextlib.contextmanager
        def naming(replica: Replica) -> Iterator[None]:
            with self._making(version, writing):
                yield
                placed.append(replica)

        async def place(replica: Replica) -> None:
            how = await self._stores.place(
                new.artifact,
                replica.path,
                region=replica.region,
                naming=partial(naming, replica),
                ledger=ledger,
            )
            events.note(f"Replicated to {replica.region}: {replica.path} ({how})")

        try:
            await each(version.replicas, place, at_once=AT_ONCE)
            made = self._finish(version, writing)
        finally:
            if made is None:
                # a file of somebody else, if that is what failed, is not among those placed
                self._give_up(replace(version, replicas=tuple(placed)), events)
        return made

    def find(self, version: GalleryId) -> VersionRecord | None:
        """Return the version of that id (or the newest, for ``versions/latest``), or None."""
        with self._database.session() as session:
            if version.is_latest:
                return lookups.latest(session, version)
            row = session.get(VersionRow, lookups.key_of(version))
            return version_of(session, row) if row and lookups.is_there(row) else None

    def get(self, identity: str) -> VersionRecord:
        """Return the version of that id, or of that short name: ``gallery/definition[/number]``.

        ``latest``, or no number, is the highest one of those that are not excluded from latest.

        :raises VmwrightError: there is none, with what there is as a hint; or a short name fits several.
        """
        version = self.identify(identity)
        if not version.version:
            version = version.of_version(ids.LATEST)
        if found := self.find(version):
            return found
        with self._database.session() as session:
            raise lookups.missing_version(session, version)

    def identify(self, identity: str) -> GalleryId:
        """Return the id that an id or a short name (``gallery/definition[/number]``) stands for.

        :raises VmwrightError: no definition, or more than one, has these names.
        """
        if identity.startswith("/"):
            return ids.parse(identity)
        with self._database.session() as session:
            return lookups.named(session, identity)

    def list(self, definition: GalleryId | None = None) -> list[VersionRecord]:
        """Return all versions (of one definition), newest first."""
        asked = select(VersionRow).where(VersionRow.provisioning_state == ProvisioningState.SUCCEEDED)
        if definition:
            asked = asked.where(VersionRow.definition == definition.of_definition.key)
        with self._database.session() as session:
            rows = session.scalars(asked.order_by(VersionRow.created_at.desc(), VersionRow.key))
            return [version_of(session, row) for row in rows]

    def remove(self, version: GalleryId) -> VersionRecord:
        """Remove a version with its replicas and, where nothing else uses it, its artifact.

        :raises VmwrightError: there is none, a build stands on it, or a replica cannot be removed; it is then
            not shown any more, and the next build tries again.
        """
        with self._database.session() as session:
            lock(session, version.of_definition.key)
            row = session.get(VersionRow, lookups.key_of(version))
            if row is None or not lookups.is_there(row):
                raise lookups.missing_version(session, version)
            if build := self._artifacts.build_on(row.digest):
                raise VmwrightError(
                    f"The build {build} stands on {row.resource_id}",
                    target=row.resource_id,
                    hint="wait for its end, or cancel it",
                )
            row.provisioning_state = ProvisioningState.DELETING
            record = version_of(session, row)
        self._discard(record)
        self._artifacts.remove_unused(record.digest)
        return record

    def made_by(self, build_id: str, run_output: str) -> VersionRecord | None:
        """Return the version that is a certain run output of a build, None where it has not been made."""
        asked = select(VersionRow).where(
            VersionRow.build_id == build_id,
            VersionRow.run_output == run_output,
            VersionRow.provisioning_state == ProvisioningState.SUCCEEDED,
        )
        with self._database.session() as session:
            row = session.scalars(asked).first()
            return version_of(session, row) if row else None

    def remove_unfinished(self) -> None:
        """Remove what a crash has left: versions half removed, or half made by what has ended.

        :raises VmwrightError: a replica cannot be removed.
        """
        no_build = or_(BuildRow.id.is_(None), BuildRow.ended_at.is_not(None))
        open_one = (OperationRow.id == VersionRow.operation_id, OperationRow.ended_at.is_(None))
        no_operation = ~select(OperationRow).where(*open_one).exists()
        self._remove_left(and_(no_build, no_operation), self._database.session)

    def begin_again(self, operation_id: str) -> VersionRecord | None:
        """Return what an operation has made before it was broken off; what it half made is removed.

        :raises VmwrightError: a replica cannot be removed.
        """
        mine = VersionRow.operation_id == operation_id
        self._remove_left(mine, self._database.session)
        made = select(VersionRow).where(mine, VersionRow.provisioning_state == ProvisioningState.SUCCEEDED)
        with self._database.session() as session:
            row = session.scalars(made).first()
            return version_of(session, row) if row else None

    def remove_broken_off(self, build_id: str, *, writing: Writing) -> None:
        """Remove what earlier attempts at a build have left half made.

        :param writing: opens a transaction in which whoever asks has the build, so that what it finds is not
            another's.
        :raises VmwrightError: a replica cannot be removed.
        """
        self._remove_left(BuildRow.id == build_id, writing)

    def _remove_left(self, nobodys: ColumnElement[bool], looking: Writing) -> None:
        state = VersionRow.provisioning_state
        asked = (
            select(VersionRow)
            .outerjoin(BuildRow, VersionRow.build_id == BuildRow.id)
            .where(
                (state == ProvisioningState.DELETING) | ((state == ProvisioningState.CREATING) & nobodys),
            )
        )
        with looking() as session:
            left = [version_of(session, row) for row in session.scalars(asked)]
        for version in left:
            self._discard(version)
            self._artifacts.remove_unused(version.digest)

    def _begin(self, new: NewVersion, writing: Writing) -> VersionRecord:
        """Take a number, in the transaction that records the version and where its replicas will be."""
        definition = new.id.of_definition
        with writing() as session:
            # whoever takes a number at the same time waits here, and then sees this one
            lock(session, definition.key)
            home = session.get(DefinitionRow, definition.key)
            if home is None:
                raise lookups.missing_version(session, definition)
            version = ids.parse(home.resource_id).of_version(str(_number(session, new)))
            row = VersionRow(
                key=version.key,
                definition=home.key,
                resource_id=str(version),
                location=new.location or home.location,
                provisioning_state=ProvisioningState.CREATING,
                digest=new.artifact.digest,
                **columns_of(new.facts),
                exclude_from_latest=new.exclude_from_latest,
                replication_mode=new.replication_mode,
                plan=plan_columns(new.plan),
                tags=dict(new.tags),
                build_id=new.build_id,
                run_output=new.run_output,
                operation_id=new.operation_id,
                created_at=datetime.now(UTC),
            )
            session.add(row)
            session.flush()
            replicas = self._replicas(new, version, row.location)
            for replica in replicas:
                refuse_existing(Path(replica.path))
            session.add_all(replicas)
            session.flush()
            return version_of(session, row)

    def _replicas(self, new: NewVersion, version: GalleryId, home: str) -> Sequence[ReplicaRow]:
        wanted = {api_name(region.name): region for region in reversed(new.regions)}
        regions = dict.fromkeys([*(api_name(region.name) for region in new.regions), api_name(home)])
        return tuple(
            ReplicaRow(
                version=version.key,
                region=region,
                regional_replica_count=asked.replica_count if (asked := wanted.get(region)) else 1,
                storage_account_type=(asked.storage_account_type if asked else None) or DEFAULT_STORAGE,
                path=str(self._stores.path(region, version.relative_path, new.artifact.format)),
                created_at=datetime.now(UTC),
            )
            for region in regions
        )

    @contextlib.contextmanager
    def _making(self, version: VersionRecord, writing: Writing) -> Iterator[tuple[Session, VersionRow]]:
        """Open a transaction in which the version that is being made is still there."""
        with writing() as session:
            row = _unfinished(session, version)
            if row is None:
                raise DistributeError(
                    f"The version {version.id} was removed while it was made: its build has been taken over",
                    target=str(version.id),
                )
            yield session, row

    def _finish(self, version: VersionRecord, writing: Writing) -> VersionRecord:
        with self._making(version, writing) as (session, row):
            row.provisioning_state = ProvisioningState.SUCCEEDED
            row.created_at = datetime.now(UTC)
            return version_of(session, row)

    def _give_up(self, version: VersionRecord, events: Events) -> None:
        try:
            self._discard(version)
        except VmwrightError as error:
            events.warn(f"{error} (the next build tries again)")

    def _discard(self, version: VersionRecord) -> None:
        """Remove the replicas, then the rows that tell where they are, unless others have done so."""
        with self._database.session() as session:
            if _unfinished(session, version) is None:
                return
            for replica in version.replicas:
                try:
                    remove_file(replica.path)
                except OSError as error:
                    raise VmwrightError(
                        f"The replica in {replica.region} cannot be removed: {error}",
                        target=str(replica.path),
                    ) from error
            session.execute(delete(VersionRow).where(VersionRow.key == version.id.key))


def _unfinished(session: Session, version: VersionRecord) -> VersionRow | None:
    """Return the row of a version that is being made or removed, under the lock of its definition.

    None where that is over: its number may be that of a version by now that was made at another time.
    """
    lock(session, version.id.of_definition.key)
    row = session.get(VersionRow, version.id.key)
    if row is None or row.created_at != version.created_at or lookups.is_there(row):
        return None
    return row


def _number(session: Session, new: NewVersion) -> VersionNumber:
    taken = lookups.taken(session, new.id)
    if not new.id.version:
        return numbers.choose(
            new.versioning,
            api_version=new.api_version,
            taken=taken,
            source_version=new.source_version,
            at=datetime.now(UTC),
        )
    number = numbers.parse(new.id.version)
    if number in taken:
        raise _not_new(new.id)
    return number


def _not_new(version: GalleryId) -> DistributeError:
    return DistributeError(
        f"The version {version} exists already: a template that names a version needs a new one",
        target=str(version),
        hint="name another number, or leave /versions/... out of galleryImageId for the next one",
    )
