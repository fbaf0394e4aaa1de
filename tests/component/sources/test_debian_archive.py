"""Which archive Debian is bootstrapped from, and what is said when it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vmwright.errors import TemplateError, UnsupportedError
from vmwright.events import Events
from vmwright.settings import DebianSettings, Settings
from vmwright.sources.debian import archive_lines, bootstrap
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmwright.state.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


def fake_apt(folder: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """Let a host's apt name other archives than this one's."""
    program = folder / "apt-get"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


async def test_the_configured_mirror_stands_alone() -> None:
    assert await archive_lines(DebianSettings(mirror="http://m/debian")) == (
        "deb http://m/debian bookworm main",
        "deb http://m/debian bookworm-updates main",
    )


async def test_a_configured_security_mirror_is_added() -> None:
    lines = await archive_lines(DebianSettings(mirror="http://m/debian", security_mirror="http://m/sec"))
    assert lines[-1] == "deb http://m/sec bookworm-security main"


async def test_a_security_mirror_alone_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"without debian\.mirror"):
        await archive_lines(DebianSettings(security_mirror="http://m/sec"))


async def test_the_hosts_own_archive_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_apt(
        tmp_path,
        monkeypatch,
        "http://own/debian/ bookworm main\n"
        "http://own/debian/ bookworm contrib\n"
        "http://own/debian-security/ bookworm-security main\n"
        "http://other/repo/ nodistro main\n"
        "file:/srv/debian/ bookworm-updates main\n"
        "http://flat/ \n"
        "http://me:secret@paid/debian/ bookworm main\n"
        "http://own/debian/ bookworm main",
    )
    assert await archive_lines(DebianSettings()) == (
        "deb http://own/debian/ bookworm main",
        "deb http://own/debian-security/ bookworm-security main",
    )


async def test_a_host_of_another_release_gets_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_apt(tmp_path, monkeypatch, "http://own/debian/ trixie main\nhttp://s/ bookworm-security main")
    assert await archive_lines(DebianSettings()) == ()


async def test_all_missing_tools_are_named(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmwright.sources.debian.which", lambda _: None)
    with pytest.raises(UnsupportedError, match="mmdebstrap") as caught:
        await bootstrap(tmp_path, settings=DebianSettings(), events=Events(), ledger=Ledger(database))
    assert "dosfstools" in (caught.value.hint or "")
