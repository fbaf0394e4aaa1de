"""Databases that cannot be used: each says so at once, with what to do and without the password."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from tests.vmwright_command import Vmwright
from vmwright.errors import VmwrightError
from vmwright.settings import DatabaseSettings, SecretReference, Settings
from vmwright.state.database import open_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import PostgreSQL

PASSWORD = "hunter2"


def refusal(home: Path, url: str, password: SecretStr | SecretReference | None = None) -> VmwrightError:
    settings = Settings(home=home, database=DatabaseSettings(url=SecretStr(url), password=password))
    with pytest.raises(VmwrightError) as refused:
        open_database(settings)
    error = refused.value
    assert error.hint
    assert PASSWORD not in f"{error.message} {error.hint}"
    assert "\n" not in error.message
    return error


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://root:{PASSWORD}@db/vmwright", "begins with mysql://"),
        (f"sqlite:///{PASSWORD}", "begins with sqlite://"),
        (PASSWORD, "begins with something else"),
        (f"postgresql://vmwright:{PASSWORD}@db:none/vmwright", "database.url cannot be read"),
    ],
)
def test_what_is_no_url_of_postgresql(tmp_path: Path, url: str, said: str) -> None:
    error = refusal(tmp_path, url)
    assert said in error.message
    assert error.target == "database.url"


def test_a_password_is_given_once(tmp_path: Path) -> None:
    error = refusal(tmp_path, f"postgresql://u:{PASSWORD}@localhost/db", SecretStr(PASSWORD))
    assert error.target == "database.password"
    with pytest.raises(VmwrightError, match=r"without database\.url"):
        open_database(Settings(home=tmp_path, database=DatabaseSettings(password=SecretStr(PASSWORD))))


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = refusal(tmp_path, f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/db")
    assert error.message.startswith(f"The database db at 127.0.0.1:{port} cannot be used:")
    assert "refused" in error.message
    assert "VMWRIGHT_HOME" not in str(error.hint)


def test_a_server_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmwright.state.engines.CONNECT_SECONDS", 2)  # the least that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        error = refusal(tmp_path, f"postgresql://u:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/db")
        assert time.monotonic() - began < 60
    assert "timeout" in error.message


def test_a_server_that_speaks_something_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(100)

        thread = threading.Thread(target=answer)
        thread.start()
        refusal(tmp_path, f"postgresql://u:{PASSWORD}@127.0.0.1:{other.getsockname()[1]}/db?sslmode=require")
        thread.join()


def test_a_wrong_password_and_a_missing_database(tmp_path: Path, postgresql: PostgreSQL) -> None:
    assert "password" in refusal(tmp_path, postgresql.url("postgres", password=PASSWORD)).message
    assert '"nowhere" does not exist' in refusal(tmp_path, postgresql.url("nowhere")).message


def test_the_password_may_be_in_a_file(tmp_path: Path, postgresql: PostgreSQL) -> None:
    whole = postgresql.empty()
    url, secret = postgresql.without_password(whole)
    (tmp_path / "secret").write_text(f"{secret}\n")
    for password in (SecretStr(secret), SecretReference(file=tmp_path / "secret")):
        configured = DatabaseSettings(url=SecretStr(url), password=password)
        open_database(Settings(home=tmp_path, database=configured)).close()
    error = refusal(tmp_path, url, SecretReference(file=tmp_path / "none"))
    assert error.target == "database.password"


def test_a_command_on_postgresql(tmp_path: Path, postgresql: PostgreSQL) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "vmwright.toml").write_text(f'[database]\nurl = "{postgresql.empty()}"\n')
    done = Vmwright(home)("images", "--json", cwd=tmp_path)
    assert (done.code, done.out.strip()) == (0, "[]")
    assert not (home / "state.sqlite").exists()
    (home / "vmwright.toml").write_text(f'[database]\nurl = "{postgresql.url("nowhere")}"\n')
    done = Vmwright(home)("images", cwd=tmp_path)
    assert done.code == 1
    assert "error: The database nowhere at 127.0.0.1" in done.err
    assert "hint: see whether PostgreSQL runs there" in done.err
