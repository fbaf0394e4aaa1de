"""A real PostgreSQL on loopback: started when the first test asks for it, with a database for each test."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.database import open_database

# Debian has the server's programs out of PATH, by version.
DEBIAN = Path("/usr/lib/postgresql")
USER = "vmwright"
PASSWORD = "p@ss/word:1"
MIGRATED = "migrated"
START_SECONDS = 60
# What a crash of this host would lose is not missed.
OPTIONS = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=127.0.0.1",
    "lc_messages=C", "max_connections=200", "shared_buffers=32MB",
)  # fmt: skip


@dataclass(frozen=True)
class PostgreSQL:
    """A started server."""

    folder: Path
    port: int

    def url(self, name: str, *, password: str = PASSWORD) -> str:
        """Return the URL of a database, as an operator writes it."""
        quoted = password.replace("@", "%40").replace("/", "%2F").replace(":", "%3A")
        return f"postgresql://{USER}:{quoted}@127.0.0.1:{self.port}/{name}"

    def without_password(self, url: str) -> tuple[str, str]:
        """Return a URL of this server without its password, and the password."""
        _, _, rest = url.partition("@")
        return f"postgresql://{USER}@{rest}", PASSWORD

    def empty(self, *, encoding: str = "UTF8") -> str:
        """Make a database without tables and return its URL."""
        return self._make("template0", f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")

    @contextlib.contextmanager
    def migrated(self) -> Iterator[DatabaseSettings]:
        """Give the configuration of a database with the tables of this version, for as long as it is used."""
        with self._connect("postgres") as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (MIGRATED,)).fetchone():
                connection.execute("CREATE DATABASE migrated ENCODING 'UTF8' TEMPLATE template0")
                configured = DatabaseSettings(url=SecretStr(self.url(MIGRATED)))
                open_database(Settings(home=self.folder / "home", database=configured)).close()
        url = self._make(MIGRATED, "STRATEGY file_copy")
        yield DatabaseSettings(url=SecretStr(url))
        with self._connect("postgres") as connection:
            name = sql.Identifier(url.rpartition("/")[2])
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        pg_ctl = ("pg_ctl", "start", "-w", "-s", "-t", START_SECONDS)
        _as_user(self.folder, *pg_ctl, "-D", self.data, "-l", self.log)

    def stop(self, mode: str = "fast") -> None:
        """End the server and all its connections."""
        _as_user(self.folder, "pg_ctl", "stop", "-w", "-s", "-m", mode, "-D", self.data)

    @property
    def data(self) -> Path:
        """The server's files."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "log"

    def _make(self, template: str, more: str) -> str:
        name = f"t{uuid.uuid4().hex}"
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} " + more)
        with self._connect("postgres") as connection:
            connection.execute(made.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    @contextlib.contextmanager
    def _connect(self, name: str) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            yield connection


@contextlib.contextmanager
def started() -> Iterator[PostgreSQL]:
    """Start a server in a temporary folder, and remove both at the end."""
    folder = Path(tempfile.mkdtemp(prefix="vmwright-postgresql-"))
    folder.chmod(0o755)
    server = PostgreSQL(folder, _free_port())
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if user := _user():
            os.chown(folder, user.pw_uid, user.pw_gid)
            os.chown(secret, user.pw_uid, user.pw_gid)
        _as_user(
            folder, "initdb", "-D", server.data, "-U", USER, "--pwfile", secret, "-A", "scram-sha-256",
            "-E", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        settings = [*OPTIONS, f"port={server.port}", f"unix_socket_directories={folder}"]
        with (server.data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in (one.split("=") for one in settings))
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _as_user(folder: Path, program: str, *arguments: object) -> None:
    user = _user()
    # What is said goes to a file: the server that pg_ctl starts holds its own outputs for as long as it runs.
    output = folder / f"{program}.out"
    with output.open("wb") as file:
        ended = subprocess.run(
            [_program(program), *map(str, arguments)],
            check=False,
            cwd=folder,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=2 * START_SECONDS,
        )
    if ended.returncode:
        said = "".join(path.read_text() for path in (output, folder / "log") if path.exists())
        pytest.fail(f"{program} ended with {ended.returncode}: {said[-3000:]}", pytrace=False)


def _program(name: str) -> Path:
    by_version = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]), reverse=True)
    in_path = shutil.which(name)
    for found in [*by_version, *([Path(in_path)] if in_path else [])]:
        return found
    pytest.fail(f"PostgreSQL's {name} is not here: apt-get install postgresql, or make test", pytrace=False)


def _user() -> pwd.struct_passwd | None:
    """Return whom the server runs as where the tests run as root, which it refuses."""
    if os.geteuid():
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
