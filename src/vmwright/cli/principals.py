"""``vmwright principals``: who may log in to the service of this home, where it gives out its own tokens."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from vmwright.arm.identity import secret_hashes
from vmwright.arm.identity.principals import Account, Kind, Made, Principals
from vmwright.cli.running import opened
from vmwright.cli.screen import print_json, say, table
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from vmwright.settings import Settings


def list_principals(*, as_json: bool) -> None:
    """List those who have a secret, by their names."""
    with opened() as (_, database):
        found = Principals(database).with_secret()
    if as_json:
        print_json([_document(account) for account in found])
        return
    table(("NAME", "KIND", "CLIENT ID", "OBJECT ID"), map(_row, found))


def add(name: str, *, is_user: bool) -> None:
    """Make one and print, once, how it logs in."""
    kind = Kind.USER if is_user else Kind.SERVICE_PRINCIPAL
    with opened() as (settings, database):
        secret = secret_hashes.random_secret()
        made = Made(Principals(database).add(name, kind, secret=secret), secret)
        _tell_login(made, settings)
        say("It may do nothing yet. Its owner, or whoever else may give roles, gives it one:")
        of_kind = f"--assignee-object-id {made.account.id} --assignee-principal-type {kind}"
        say(f"  az role assignment create {of_kind} --role Contributor --scope SCOPE")


def renew(name: str) -> None:
    """Give one another secret and print, once, how it logs in."""
    with opened() as (settings, database):
        principals = Principals(database)
        made = principals.renew(_find(principals, name).id)
        if made is None:
            raise _missing(name)
        _tell_login(made, settings)


def remove(name: str) -> None:
    """Remove one; what it was given ends with it."""
    with opened() as (_, database):
        principals = Principals(database)
        account = _find(principals, name)
        principals.remove(account.id)
        say(f"removed {account.name}")


def _tell_login(made: Made, settings: Settings) -> None:
    account = made.account
    how = f"--service-principal -u {account.app_id}" if account.app_id else f"-u {shlex.quote(account.name)}"
    say("It logs in with a secret that is shown this once:")
    say(f"  az login {how} -p {shlex.quote(made.secret)} --tenant {settings.service.tenant}")


def _find(principals: Principals, name: str) -> Account:
    """Return a principal by its name, client id or object id.

    :raises VmwrightError: there is none, or it is a managed identity, which is no business of this command.
    """
    known = {one.id: one for one in principals.with_secret()}
    found = principals.find_login(name)
    account = known.get(found.id if found else name.lower())
    if account is None:
        raise _missing(name)
    return account


def _missing(name: str) -> VmwrightError:
    return VmwrightError(
        f"Nobody called {name} logs in here", target=name, hint="vmwright principals lists those who do"
    )


def _row(account: Account) -> tuple[str, ...]:
    return account.name, account.kind, account.app_id or "-", account.id


def _document(account: Account) -> dict[str, str]:
    return {"name": account.name, "kind": account.kind, "appId": account.app_id, "id": account.id}
