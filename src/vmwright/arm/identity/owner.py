"""The first owner of a service: who sets it up, and the file that has its secret.

The secret is in no log and on no screen: what users paste reads the file, which only its owner may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.arm.identity import private_files
from vmwright.arm.identity.principals import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.orm import Session

    from vmwright.arm.identity.principals import Account, Principals

FILE_NAME = "owner-secret"


@dataclass(frozen=True, slots=True)
class Owner:
    """The principal that owns everything at first; ``secret`` is a file, None where this home has none."""

    app_id: str
    secret: Path | None


def provide(
    principals: Principals,
    folder: Path,
    grant: Callable[[Session, Account], None],
    *,
    new_secret: bool = False,
) -> Owner | None:
    """Return the owner of a service, made at its first start; None where it was removed since.

    :param folder: of the service's keys.
    :param grant: gives a new owner what it may do, in the transaction that makes it.
    :param new_secret: give it another secret; what was given out for the old one ends.
    :raises VmwrightError: the file cannot be written, or the database cannot be used.
    """
    file = folder / FILE_NAME
    with private_files.changing(folder):
        made = principals.first_owner(grant)
        account = made.account if made else principals.find_login(OWNER)
        if account is None:
            return None
        if made is None and new_secret:
            made = principals.renew(account.id)
        if made is not None:
            private_files.write(file, f"{made.secret}\n".encode())
        is_here = made is not None or principals.has_secret(account.app_id, _read(file))
        return Owner(account.app_id, file if is_here else None)


def _read(file: Path) -> str:
    return file.read_text().strip() if file.exists() else ""
