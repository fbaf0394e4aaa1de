from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from vmwright.arm.identity.principals import Account, Kind, Principals
from vmwright.errors import VmwrightError
from vmwright.state.database import Database
from vmwright.state.service_tables import PrincipalRow


def no_role(session: Session, account: Account) -> None:
    pass


def test_the_first_start_makes_an_owner_whose_secret_is_shown_once(database: Database) -> None:
    principals = Principals(database)
    granted: list[Account] = []
    made = principals.first_owner(lambda session, account: granted.append(account))
    assert made is not None
    assert granted == [made.account]
    assert principals.has_secret(made.account.app_id.upper(), made.secret)
    assert principals.has_secret("Owner", made.secret)
    assert principals.first_owner(no_role) is None
    with database.session() as session:
        assert made.secret not in str(session.scalars(select(PrincipalRow.secret)).one())


def test_an_owner_without_its_role_is_not_made(database: Database) -> None:
    principals = Principals(database)

    def fail(session: Session, account: Account) -> None:
        raise VmwrightError("no")

    with pytest.raises(VmwrightError):
        principals.first_owner(fail)
    assert principals.first_owner(no_role) is not None


def test_managed_identities_do_not_stand_in_the_way_of_the_first_owner(database: Database) -> None:
    principals = Principals(database)
    identity = principals.add("builder", Kind.SERVICE_PRINCIPAL)
    assert not principals.has_secret(identity.app_id, "")
    assert principals.first_owner(no_role) is not None


def test_principals_are_found_by_what_names_them(database: Database) -> None:
    principals = Principals(database)
    app, user = principals.add("App", Kind.SERVICE_PRINCIPAL), principals.add("Ada", Kind.USER)
    assert principals.find_login(app.app_id) == principals.find_login("app") == app
    assert principals.find_login("ADA") == user
    assert principals.find(user.id) == user
    assert principals.find_all([user.id, app.id.upper(), "other"]) == [user, app]
    assert principals.find_login("nobody\0") is None
    assert principals.find_login("") is None
    assert principals.remove(user.id)
    assert not principals.remove(user.id)
    assert principals.renew(user.id) is None


def test_a_name_may_have_any_letters(database: Database) -> None:
    principals = Principals(database)
    user = principals.add("\N{LATIN CAPITAL LETTER A WITH DIAERESIS}da", Kind.USER)
    assert principals.find_login(user.name) == user


def test_a_name_is_nobody_elses(database: Database) -> None:
    principals = Principals(database)
    principals.add("Ada", Kind.USER)
    with pytest.raises(VmwrightError, match="There is a principal ADA already"):
        principals.add("ADA", Kind.USER)
