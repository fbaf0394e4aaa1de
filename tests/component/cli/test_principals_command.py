"""``vmwright principals``: who logs in to the service."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.vmwright_command import Vmwright
from vmwright.arm.identity.principals import Principals
from vmwright.settings import Settings
from vmwright.state.database import open_database


@pytest.fixture
def vmwright(tmp_path: Path) -> Vmwright:
    return Vmwright(tmp_path)


def logs_in(home: Path, command: str) -> bool:
    """Whether the command that was printed has a login that is good now."""
    arguments = shlex.split(command)
    login, secret = arguments[arguments.index("-u") + 1], arguments[arguments.index("-p") + 1]
    database = open_database(Settings(home=home))
    try:
        return Principals(database).has_secret(login, secret)
    finally:
        database.close()


def printed_login(out: str) -> str:
    found = re.search(r"az login .*", out)
    assert found
    return found[0]


@pytest.mark.parametrize("options", [[], ["--user"]])
def test_somebody_is_made_logs_in_is_given_another_secret_and_removed(
    vmwright: Vmwright, options: list[str]
) -> None:
    made = vmwright("principals", "add", "alice", *options)
    assert made.code == 0, made.err
    first = printed_login(made.out)
    assert logs_in(vmwright.home, first)
    (listed,) = vmwright.json("principals")
    assert (listed["name"], bool(listed["appId"])) == ("alice", not options)
    assert f"--assignee-object-id {listed['id']}" in made.out

    again = printed_login(vmwright("principals", "renew", "Alice").out)
    assert not logs_in(vmwright.home, first)
    assert logs_in(vmwright.home, again)
    assert vmwright("principals", "rm", listed["id"]).out == "removed alice\n"
    assert not logs_in(vmwright.home, again)
    assert vmwright.json("principals") == []


def test_a_name_is_somebodys_alone(vmwright: Vmwright) -> None:
    vmwright("principals", "add", "ci")
    twice = vmwright("principals", "add", "CI")
    assert (twice.code, twice.out) == (1, "")
    assert "There is a principal CI already" in twice.err


@pytest.mark.parametrize("command", ["renew", "rm"])
def test_who_is_not_there_is_said(vmwright: Vmwright, command: str) -> None:
    missing = vmwright("principals", command, "nobody")
    assert missing.code == 1
    assert "Nobody called nobody logs in here" in missing.err
    assert "vmwright principals lists" in missing.err
