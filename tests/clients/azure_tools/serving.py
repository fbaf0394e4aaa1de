"""A served vmwright, as its users start it, and Azure's own tools at it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any

import httpx2

from tests.scripted_builds import ScriptedBuilder
from tests.vmwright_command import Vmwright
from vmwright.settings import Settings
from vmwright.state.database import open_database

# Where `make test` installs them, each in an environment of its own.
CLIENTS = Path(sys.prefix) / "clients"
VMWRIGHT = Path(sys.executable).parent / "vmwright"
LOGIN = re.compile(r'az login --service-principal -u (\S+) -p "\$\(cat (\S+)\)" --tenant (\S+)')
REGISTER = re.compile(r"az cloud register -n \S+ --endpoint-resource-manager (\S+)")
CA = re.compile(r"export REQUESTS_CA_BUNDLE=(\S+)")
SECONDS = 180.0
PAUSE_SECONDS = 0.1
# The web site of scripts that templates name: a folder, by a mirror.
SITE = "https://scripts.example.com/"
FAILURE = "During the image build a failure has occurred: the customizer say ended with exit code 3"


class Ends(Enum):
    """How builds end, unless they are cancelled."""

    WELL = auto()
    BADLY = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a service has printed for its users to paste."""

    home: Path
    log: Path
    url: str
    ca: Path
    app_id: str
    secret: str
    tenant: str
    commands: tuple[str, ...]

    @property
    def subscription(self) -> str:
        return str(Settings(home=self.home).service.subscription)

    def client(self) -> httpx2.Client:
        """Return a client that trusts the service, without a token."""
        return httpx2.Client(base_url=self.url, verify=ssl.create_default_context(cafile=self.ca))

    def token(self) -> str:
        """Return a token of the service's owner."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.app_id,
            "client_secret": self.secret,
            "scope": f"{self.url}//.default",
        }
        with self.client() as client:
            given = client.post("/adfs/oauth2/token", data=form).raise_for_status().json()
        return str(given["access_token"])


@contextlib.contextmanager
def serving(home: Path) -> Iterator[Served]:
    """Serve an empty home on any free port, without a worker."""
    site = home.with_name("site")
    site.mkdir()
    (site / "setup.sh").write_text("#!/bin/sh\n")
    home.mkdir()
    (home / "vmwright.toml").write_text(f'mirrors = {{ "{SITE}" = "file://{site}/" }}\n')
    with started(home, "--no-worker") as served:
        yield served


@contextlib.contextmanager
def started(home: Path, *options: str) -> Iterator[Served]:
    """Serve a home on any free port."""
    logged = {"VMWRIGHT_SERVICE__LOG_FORMAT": "json"}
    log = home.with_name("service.log")
    with (
        log.open("wb") as stderr,
        Vmwright(home, logged).start("serve", *options, "--listen", "localhost:0", stderr=stderr) as process,
    ):
        try:
            yield _served(home, process, log)
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


def _served(home: Path, process: subprocess.Popen[str], log: Path) -> Served:
    """Read what a service prints, until it has told how to log in."""
    assert process.stdout is not None
    text = ""
    while not (login := LOGIN.search(text)):
        line = process.stdout.readline()
        assert line, f"the service ended: {text}{log.read_text()}"
        text += line
    ca, url = CA.search(text), REGISTER.search(text)
    assert ca
    assert url
    return Served(
        home=home,
        log=log,
        url=url[1],
        ca=Path(ca[1]),
        app_id=login[1],
        secret=Path(login[2]).read_text().strip(),
        tenant=login[3],
        commands=tuple(line.strip() for line in text.splitlines() if line.strip().startswith("az ")),
    )


@contextlib.contextmanager
def building(home: Path, ends: Ends) -> Iterator[None]:
    """Build what waits in the queue of a home, beside its service, as a worker of another process would."""
    settings = Settings(home=home)
    database = open_database(settings)
    builder, stopping = ScriptedBuilder(settings, database), threading.Event()

    async def build() -> None:
        while not stopping.wait(PAUSE_SECONDS):
            builder.renew()
            builder.take()
            builder.cancel()
            match ends:
                case Ends.WELL:
                    await builder.succeed()
                case Ends.BADLY:
                    builder.fail(FAILURE)
                case Ends.NEVER:
                    pass

    thread = threading.Thread(target=lambda: asyncio.run(build()), name="scripted builds")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        builder.end()
        database.close()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, {} where that is nothing."""
        return json.loads(self.out) if self.out.strip() else {}


@dataclass(frozen=True, slots=True)
class Az:
    """The Azure CLI with a profile of its own."""

    profile: Path
    ca: Path
    more: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, code: int = 0) -> Ended:
        """Run a command and check its exit code."""
        ended = run("azure-cli", "-m", "azure.cli", *arguments, **self._variables())
        assert ended.code == code, f"az {' '.join(map(str, arguments))}: {ended.code}\n{ended.out}{ended.err}"
        return ended

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command that waits for somebody."""
        return subprocess.Popen(
            [CLIENTS / "azure-cli/bin/python", "-m", "azure.cli", *arguments],
            env=variables_of(**self._variables()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *arguments: str | Path) -> Any:
        """Run a command and return what it printed."""
        return self(*arguments, "--output", "json").json

    def _variables(self) -> dict[str, str]:
        return {"AZURE_CONFIG_DIR": str(self.profile), "REQUESTS_CA_BUNDLE": str(self.ca), **self.more}


def logged_in(served: Served, profile: Path) -> Az:
    """Return the Azure CLI after what the service has told to type."""
    az = Az(profile, served.ca)
    az("cloud", "register", "-n", "vmwright", "--endpoint-resource-manager", served.url)
    az("cloud", "set", "-n", "vmwright")
    log_in = ("login", "--service-principal", "-u", served.app_id, "--tenant", served.tenant)
    az(*log_in, "-p", served.secret)
    return az


def run(environment: str, *arguments: str | Path, **variables: str) -> Ended:
    """Run the Python of an environment, with no other variables than these."""
    program = CLIENTS / environment / "bin/python"
    assert program.exists(), f"{program} is missing: `make test` installs it"
    return run_program(program, *arguments, **variables)


def variables_of(**given: str) -> dict[str, str]:
    """Return all that a tool finds in its environment."""
    return {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        **given,
    }


def run_program(program: Path, *arguments: str | Path, **variables: str) -> Ended:
    """Run a program, with no other variables than these."""
    ended = subprocess.run(
        [program, *map(str, arguments)],
        env=variables_of(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
