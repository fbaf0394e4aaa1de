"""Versions that are there, changed: their tags, whether they count for latest, their regions."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from vmwright.artifacts.region_stores import AT_ONCE, refuse_existing, remove_file
from vmwright.artifacts.together import each
from vmwright.errors import VmwrightError
from vmwright.images import lookups
from vmwright.images.records import DEFAULT_STORAGE
from vmwright.images.rows import version_of
from vmwright.regions import api_name
from vmwright.state.database import lock
from vmwright.state.tables import ReplicaRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.orm import Session

    from vmwright.artifacts import ArtifactStore, RegionStores
    from vmwright.events import Events
    from vmwright.images.ids import GalleryId
    from vmwright.images.records import Replica, VersionRecord
    from vmwright.state.database import Database
    from vmwright.state.resources import Ledger
    from vmwright.template.model import TargetRegion


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """What a version is to have from now on; its own region stays, also where it is not named."""

    tags: Mapping[str, str]
    exclude_from_latest: bool
    regions: tuple[TargetRegion, ...]


class Replication:
    """Changes versions, and with their regions the files that are their replicas."""

    def __init__(self, database: Database, artifacts: ArtifactStore, stores: RegionStores) -> None:
        self._database = database
        self._artifacts = artifacts
        self._stores = stores

    async def change(
        self, version: GalleryId, change: VersionChange, *, ledger: Ledger, events: Events
    ) -> VersionRecord:
        """Change a version: replicas are made first, then those of other regions removed.

        What is broken off is whole after it has been done again.

        :raises VmwrightError: there is none, or a build stands on it and a region would go.
        :raises DistributeError: a store cannot be written; the version is in no new region then.
        """
        record, added = self._begin(version, change)
        try:
            await self._place(record, added, ledger, events)
        except Exception:
            self._drop(record, added)
            raise
        wanted = {api_name(region.name) for region in change.regions} | {api_name(record.location)}
        self._drop(record, [replica for replica in record.replicas if replica.region not in wanted])
        with self._database.session() as session:
            return version_of(session, _row(session, version))

    def _begin(self, version: GalleryId, change: VersionChange) -> tuple[VersionRecord, list[Replica]]:
        """Record what is wanted, and return which replicas are to be made; those of other regions stay yet.

        Where a change is broken off, its replicas are recorded already: they are younger than the version.
        """
        wanted = {api_name(region.name): region for region in change.regions}
        with self._database.session() as session:
            lock(session, version.of_definition.key)
            row = _row(session, version)
            there = version_of(session, row)
            if leaving := set(there.regions) - wanted.keys() - {api_name(row.location)}:
                self._refuse_use(there, leaving)
            row.tags, row.exclude_from_latest = dict(change.tags), change.exclude_from_latest
            known = {replica.region: replica for replica in _replicas(session, row)}
            for region, asked in wanted.items():
                replica = known.get(region) or self._new(session, there, region)
                replica.regional_replica_count = asked.replica_count
                replica.storage_account_type = asked.storage_account_type or DEFAULT_STORAGE
            session.flush()
            record = version_of(session, row)
            younger = {new.region for new in _replicas(session, row) if new.created_at > row.created_at}
            return record, [
                replica
                for replica in record.replicas
                if replica.region in younger and not replica.path.exists()
            ]

    def _new(self, session: Session, version: VersionRecord, region: str) -> ReplicaRow:
        disk_format = self._artifacts.record(version.digest).format
        path = self._stores.path(region, version.id.relative_path, disk_format)
        refuse_existing(path)
        row = ReplicaRow(version=version.id.key, region=region, path=str(path), created_at=datetime.now(UTC))
        session.add(row)
        return row

    def _refuse_use(self, version: VersionRecord, leaving: set[str]) -> None:
        if build := self._artifacts.build_on(version.digest):
            raise VmwrightError(
                f"The build {build} stands on {version.id}, which so stays in {', '.join(sorted(leaving))}",
                target=str(version.id),
                hint="wait for its end, or cancel it",
            )

    async def _place(
        self, version: VersionRecord, added: list[Replica], ledger: Ledger, events: Events
    ) -> None:
        if not added:
            return
        artifact = await self._artifacts.fetch(version.digest)

        async def place(replica: Replica) -> None:
            how = await self._stores.place(
                artifact,
                replica.path,
                region=replica.region,
                naming=partial(self._naming, version, replica),
                ledger=ledger,
            )
            events.note(f"Replicated to {replica.region}: {replica.path} ({how})")

        await each(added, place, at_once=AT_ONCE)

    @contextlib.contextmanager
    def _naming(self, version: VersionRecord, replica: Replica) -> Iterator[None]:
        """Open a transaction in which the version is there, with that replica."""
        with self._database.session() as session:
            lock(session, version.id.of_definition.key)
            row = _row(session, version.id)
            if replica.region not in {known.region for known in _replicas(session, row)}:
                raise VmwrightError(f"{version.id} is not to be in {replica.region} any more")
            yield

    def _drop(self, version: VersionRecord, replicas: list[Replica]) -> None:
        """Remove replicas, each with its row."""
        with self._database.session() as session:
            lock(session, version.id.of_definition.key)
            for replica in replicas:
                remove_file(replica.path)
                session.execute(
                    delete(ReplicaRow).where(
                        ReplicaRow.version == version.id.key, ReplicaRow.region == replica.region
                    )
                )


def _row(session: Session, version: GalleryId) -> VersionRow:
    row = session.get(VersionRow, lookups.key_of(version))
    if row is None or not lookups.is_there(row):
        raise lookups.missing_version(session, version)
    return row


def _replicas(session: Session, row: VersionRow) -> list[ReplicaRow]:
    return list(session.scalars(select(ReplicaRow).where(ReplicaRow.version == row.key)))
