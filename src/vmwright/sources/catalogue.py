"""The catalogue behind PlatformImage: which disk stands for which publisher:offer:sku:version."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.artifacts.facts import columns_of, facts_of
from vmwright.errors import SourceError
from vmwright.sources.urn import LATEST, Urn, by_number
from vmwright.state.database import lock
from vmwright.state.tables import SourceRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from vmwright.artifacts import ArtifactStore
    from vmwright.artifacts.facts import ImageFacts
    from vmwright.state.database import Database

BUILT_IN = "built-in"
BUILT_IN_SOURCES = (Urn("Debian", "debian-12", "12", LATEST),)
SAME_AS = "same as "
FETCHED = "fetched from "


class Kind(IntEnum):
    """How a disk came here; of several for one name, ``latest`` prefers the greater kind."""

    FETCHED = 0
    BUILT_IN = 1
    ADDED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A disk of the catalogue.

    :param origin: where it came from: a path, a URL without its query, ``built-in``, ``same as URN``, or
        ``fetched from URL`` where vmwright chose the URL.
    """

    urn: Urn
    digest: str
    facts: ImageFacts
    origin: str
    added_at: datetime

    @property
    def kind(self) -> Kind:
        """Who brought it: this host, a vendor's server, or the user."""
        if self.origin == BUILT_IN:
            return Kind.BUILT_IN
        return Kind.FETCHED if self.origin.startswith(FETCHED) else Kind.ADDED

    @property
    def same_as(self) -> str | None:
        """The URN that it is another name of."""
        return self.origin.removeprefix(SAME_AS) if self.origin.startswith(SAME_AS) else None


class Catalogue:
    """The source disks of one $VMWRIGHT_HOME."""

    def __init__(self, database: Database, artifacts: ArtifactStore) -> None:
        self._database = database
        self._artifacts = artifacts

    def list(self) -> list[CatalogueEntry]:
        """Return all entries, newest first."""
        with self._database.session() as session:
            return [_entry(row) for row in _rows(session)]

    def find(self, urn: Urn) -> CatalogueEntry | None:
        """Return the entry of that version; for none or ``latest``, the newest of the best kind."""
        versions = [entry for entry in self.list() if entry.urn.is_same_family(urn)]
        if urn.version and not urn.is_latest:
            versions = [entry for entry in versions if entry.urn.version == urn.version]
        return max(versions, key=_preference, default=None)

    def get(self, urn: Urn, *, known: Iterable[Urn] = BUILT_IN_SOURCES) -> CatalogueEntry:
        """Return the entry of that name.

        :param known: names that would be made or fetched, to tell of those that are alike.
        :raises SourceError: there is none; with names that are alike and the command that adds it.
        """
        if found := self.find(urn):
            return found
        versions = [entry.urn.version for entry in self.list() if entry.urn.is_same_family(urn)]
        if versions:
            raise SourceError(
                f"{urn.family} is in the catalogue, but not in version {urn.version}",
                target="properties.source.version",
                hint=f"it has {', '.join(versions)}; to add one: vmwright sources add {urn} DISK",
            )
        raise SourceError(
            f"No disk stands for {urn} on this host",
            target="properties.source",
            hint=f"{self._alike(urn, known)}vmwright sources add {urn.to_add} DISK (a file, a URL with "
            f"--sha256, or another source, as {BUILT_IN_SOURCES[0]})",
        )

    def next_version(self, urn: Urn) -> str:
        """Return the version for a disk added today without one: ``1.<yyyymmdd>.<n>``, n from 0."""
        taken = {entry.urn.version for entry in self.list() if entry.urn.is_same_family(urn)}
        today = f"1.{datetime.now(UTC):%Y%m%d}"
        return next(version for n in range(len(taken) + 1) if (version := f"{today}.{n}") not in taken)

    def check_free(self, urn: Urn, *, renewed: bool = False) -> None:
        """Check that a new entry may have that name (with its version).

        :param renewed: it takes the place of a built-in one.
        :raises SourceError: an entry has it.
        """
        found = self.find(urn)
        if found and not (renewed and found.kind is Kind.BUILT_IN):
            raise SourceError(
                f"{urn} is in the catalogue already",
                target=str(urn),
                hint=f"remove it first: vmwright sources rm {urn}",
            )

    def insert(self, urn: Urn, *, digest: str, facts: ImageFacts, origin: str) -> CatalogueEntry:
        """Add an entry for an adopted artifact. A renewed built-in source takes the place of its older one.

        :raises SourceError: the name is taken.
        """
        row = SourceRow(
            publisher=urn.publisher,
            offer=urn.offer,
            sku=urn.sku,
            version=urn.version,
            digest=digest,
            **columns_of(facts),
            origin=origin,
            created_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            lock(session, SourceRow.__tablename__)
            self.check_free(urn, renewed=origin == BUILT_IN)
            replaced = _built_in_rows(session, urn) if origin == BUILT_IN else []
            dropped = {older.digest for older in replaced}
            for older in replaced:
                session.delete(older)
            session.flush()
            session.add(row)
            session.flush()
            dropped |= _let_names_follow(session, urn)
            entry = _entry(row)
        self._remove_unused(dropped - {digest})
        return entry

    def remove(self, urn: Urn) -> CatalogueEntry:
        """Remove one entry and, where nothing uses it any more, its disk; return what it was.

        :raises SourceError: there is none, or the version is missing where there are several.
        """
        with self._database.session() as session:
            lock(session, SourceRow.__tablename__)
            found = self.get(urn)
            several = [entry.urn for entry in self.list() if entry.urn.is_same_family(urn)]
            if not urn.version and len(several) > 1:
                raise SourceError(
                    f"{urn} has several versions",
                    target=str(urn),
                    hint=f"name one: {', '.join(str(version) for version in several)}",
                )
            for row in _rows(session):
                if _entry(row).urn == found.urn:
                    session.delete(row)
            session.flush()
            dropped = {found.digest} | _let_names_follow(session, found.urn)
        self._remove_unused(dropped)
        return found

    def _remove_unused(self, digests: set[str]) -> None:
        for digest in digests:
            self._artifacts.remove_unused(digest)

    def _alike(self, urn: Urn, known: Iterable[Urn]) -> str:
        names = [*known, *(entry.urn for entry in self.list())]
        families = {name.family.lower(): name.family for name in names}
        found = difflib.get_close_matches(urn.family.lower(), families, n=3)
        return (
            f"did you mean {' or '.join(families[name] for name in found)}? To add it: "
            if found
            else "add one: "
        )


def _rows(session: Session) -> list[SourceRow]:
    newest_first = select(SourceRow).order_by(SourceRow.created_at.desc(), SourceRow.id.desc())
    return list(session.scalars(newest_first))


def _built_in_rows(session: Session, urn: Urn) -> list[SourceRow]:
    entries = ((row, _entry(row)) for row in _rows(session))
    return [row for row, entry in entries if entry.kind is Kind.BUILT_IN and entry.urn.is_same_family(urn)]


def _preference(entry: CatalogueEntry) -> tuple[Kind, tuple[tuple[int, str], ...]]:
    return entry.kind, by_number(entry.urn.version)


def _let_names_follow(session: Session, urn: Urn) -> set[str]:
    """Let other names of ``urn``'s newest version stand for what is newest now; return what they leave."""
    family = [row for row in _rows(session) if _entry(row).urn.is_same_family(urn)]
    if not family:
        return set()
    newest = max(family, key=lambda row: _preference(_entry(row)))
    left = set()
    for row in _rows(session):
        if row.origin.lower() == f"{SAME_AS}{urn.family}:latest".lower() and row.digest != newest.digest:
            left.add(row.digest)
            row.digest = newest.digest
            for name, value in columns_of(facts_of(newest)).items():
                setattr(row, name, value)
    session.flush()
    return left


def _entry(row: SourceRow) -> CatalogueEntry:
    return CatalogueEntry(
        urn=Urn(row.publisher, row.offer, row.sku, row.version),
        digest=row.digest,
        facts=facts_of(row),
        origin=row.origin,
        added_at=row.created_at,
    )
