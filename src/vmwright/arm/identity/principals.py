"""Who may have tokens of the service's own issuer. Each method is one transaction, and blocks."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select

from vmwright.arm.identity import secret_hashes
from vmwright.errors import VmwrightError
from vmwright.state.database import lock
from vmwright.state.service_tables import PrincipalRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from vmwright.state.database import Database

OWNER = "owner"


class Kind(StrEnum):
    """What a principal is; a managed identity is a service principal without a secret."""

    SERVICE_PRINCIPAL = "ServicePrincipal"
    USER = "User"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A principal as it is kept.

    :param id: the object id; ``app_id`` the client id, "" of users.
    :param stamp: changes with the secret: what was given out for an older one ends with it.
    """

    id: str
    app_id: str
    name: str
    kind: Kind
    stamp: str


@dataclass(frozen=True, slots=True)
class Made:
    """A principal and its secret, which is nowhere else."""

    account: Account
    secret: str


class Principals:
    """The principals of a service; names and client ids are found without regard to case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, kind: Kind, *, secret: str | None = None) -> Account:
        """Make a principal; without a secret it cannot log in.

        :raises VmwrightError: there is one of this name.
        """
        kept = None if secret is None else secret_hashes.make(secret)
        with self._database.session() as session:
            lock(session, "principals")
            if session.scalars(select(PrincipalRow.id).where(_has_name(name))).first() is not None:
                raise VmwrightError(
                    f"There is a principal {name} already", target=name, hint="choose another name"
                )
            return _add(session, name, kind, kept)

    def first_owner(self, grant: Callable[[Session, Account], None]) -> Made | None:
        """Make the first principal of a service, with a random secret; None where there is one with a secret.

        :param grant: gives it what it may do, in the same transaction.
        """
        with self._database.session() as session:
            lock(session, "principals")
            if session.scalars(select(PrincipalRow.id).where(PrincipalRow.secret.is_not(None))).first():
                return None
            secret = secret_hashes.random_secret()
            account = _add(session, OWNER, Kind.SERVICE_PRINCIPAL, secret_hashes.make(secret))
            grant(session, account)
        return Made(account, secret)

    def renew(self, principal_id: str) -> Made | None:
        """Give a principal a new secret; None where there is no such principal."""
        secret = secret_hashes.random_secret()
        kept = secret_hashes.make(secret)
        with self._database.session() as session:
            row = session.get(PrincipalRow, principal_id)
            if row is None:
                return None
            row.secret = kept
            return Made(_account(row), secret)

    def remove(self, principal_id: str) -> bool:
        """Remove a principal, whose tokens end with it; False where there is none."""
        gone = delete(PrincipalRow).where(PrincipalRow.id == principal_id).returning(PrincipalRow.id)
        with self._database.session() as session:
            return session.scalars(gone).one_or_none() is not None

    def find(self, principal_id: str) -> Account | None:
        """Return a principal by its object id, None where there is none."""
        with self._database.session() as session:
            row = session.get(PrincipalRow, principal_id)
            return None if row is None else _account(row)

    def find_all(self, ids: Iterable[str]) -> list[Account]:
        """Return those of some object ids that there are, in the order of their names."""
        asked = select(PrincipalRow).where(PrincipalRow.id.in_([one.lower() for one in ids]))
        with self._database.session() as session:
            return [_account(row) for row in session.scalars(asked.order_by(PrincipalRow.name))]

    def with_secret(self) -> list[Account]:
        """Return those who can log in, in the order of their names: all but managed identities."""
        asked = select(PrincipalRow).where(PrincipalRow.secret.is_not(None))
        with self._database.session() as session:
            return [_account(row) for row in session.scalars(asked.order_by(PrincipalRow.name))]

    def find_login(self, login: str) -> Account | None:
        """Return a principal by its client id or its name, None where there is none."""
        with self._database.session() as session:
            row = _of_login(session, login)
            return None if row is None else _account(row)

    def has_secret(self, login: str, secret: str) -> bool:
        """Whether a secret is that of a client id or name; it takes as long where there is none."""
        with self._database.session() as session:
            row = _of_login(session, login)
            kept = None if row is None else row.secret
        return secret_hashes.matches(secret, kept)


def _add(session: Session, name: str, kind: Kind, kept: str | None) -> Account:
    row = PrincipalRow(
        id=str(uuid.uuid4()),
        app_id=str(uuid.uuid4()) if kind is Kind.SERVICE_PRINCIPAL else None,
        name=name,
        kind=kind,
        secret=kept,
        created_at=datetime.now(UTC),
    )
    session.add(row)
    return _account(row)


def _of_login(session: Session, login: str) -> PrincipalRow | None:
    # what cannot be a name may not be text that a database holds, either
    if not login.isprintable():
        return None
    found = or_(PrincipalRow.app_id == login.lower(), _has_name(login))
    return session.scalars(select(PrincipalRow).where(found)).first()


def _has_name(name: str) -> ColumnElement[bool]:
    # folded by the database on both sides: SQLite folds fewer letters than others do
    return func.lower(PrincipalRow.name) == func.lower(name)


def _account(row: PrincipalRow) -> Account:
    return Account(
        id=row.id,
        app_id=row.app_id or "",
        name=row.name,
        kind=Kind(row.kind),
        stamp=secret_hashes.stamp(row.secret),
    )
