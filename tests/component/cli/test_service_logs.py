"""`vmwright logs --url`: a build's logs through a service, by a token alone."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.queueing import end, submit, worker
from tests.vmwright_command import Vmwright
from vmwright.builds.log import FILE_NAME, VALIDATION
from vmwright.runs.queue import Claim, claim
from vmwright.runs.records import BuildRecords
from vmwright.settings import DatabaseSettings, Settings
from vmwright.state.database import Database

FORM = {"grant_type": "client_credentials"}


@pytest.fixture
def database_settings() -> DatabaseSettings:
    return DatabaseSettings()


@pytest.fixture
def home(tmp_path: Path) -> Vmwright:
    """The service's own."""
    (tmp_path / "home").mkdir()
    return Vmwright(tmp_path / "home", {"VMWRIGHT_SERVICE__LOG_FORMAT": "json"})


@pytest.fixture
def settings(home: Vmwright) -> Settings:
    return Settings(home=home.home)


@dataclass
class Service:
    """A service that runs, and can be started again where it was."""

    home: Vmwright
    url: str = ""

    def start(self) -> None:
        listen = self.url.rpartition("/")[2].replace("localhost", "127.0.0.1") or "127.0.0.1:0"
        self.process = self.home.start("serve", "--no-worker", "--listen", listen)
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        found = re.match(r"vmwright serves (https://\S+)\. ", first)
        assert found, first
        self.url = found[1]

    def stop(self) -> list[dict[str, Any]]:
        """End it, and return what it has logged."""
        self.process.terminate()
        _, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        return [json.loads(line) for line in err.splitlines()]

    @property
    def ca(self) -> Path:
        return self.home.home / "service" / "ca.pem"

    def token(self) -> str:
        secret = (self.home.home / "service" / "owner-secret").read_text().strip()
        lines = self.process.stdout
        assert lines is not None
        app_id = next(found[1] for line in lines if (found := re.search(r" -u (\S+) ", line)))
        form = {**FORM, "client_id": app_id, "client_secret": secret, "scope": f"{self.url}//.default"}
        trust = ssl.create_default_context(cafile=self.ca)
        with httpx2.Client(base_url=self.url, verify=trust) as client:
            return str(client.post("/adfs/oauth2/token", data=form).json()["access_token"])


@pytest.fixture
def service(home: Vmwright) -> Iterator[Service]:
    service = Service(home)
    service.start()
    yield service
    if service.process.returncode is None:
        service.stop()


@pytest.fixture
def laptop(service: Service, tmp_path: Path) -> Vmwright:
    """A home that has nothing but a token and the certificate to trust."""
    (tmp_path / "laptop").mkdir()
    environment = {"VMWRIGHT_TOKEN": service.token(), "REQUESTS_CA_BUNDLE": str(service.ca)}
    return Vmwright(tmp_path / "laptop", environment)


@pytest.fixture
def running(database: Database, tmp_path: Path) -> Claim:
    """A build `web` with both logs."""
    taken = claim(database, submit(database, "web"), worker(database))
    assert taken is not None
    for name in (FILE_NAME, VALIDATION):
        BuildRecords(database, taken).log(name, tmp_path / name)
    return taken


def write(folder: Path, text: str, name: str = FILE_NAME) -> None:
    with (folder / name).open("a") as file:
        file.write(text)


def test_both_logs_are_printed_by_the_name_of_a_build(
    laptop: Vmwright, service: Service, running: Claim, tmp_path: Path
) -> None:
    write(tmp_path, "one\ntwo")
    write(tmp_path, "\nvalid\n", VALIDATION)
    for name in ("WEB", running.build_id[:8]):
        done = laptop("logs", name, "--url", service.url)
        assert (done.code, done.err) == (0, "")
        assert sorted(done.out.split()) == ["one", "two", "valid"]
    assert not (laptop.home / "state.sqlite").exists()


def test_a_log_is_followed_over_the_end_of_the_service(
    laptop: Vmwright, service: Service, running: Claim, database: Database, tmp_path: Path
) -> None:
    write(tmp_path, "one\n")
    following = laptop.start("logs", "web", "-f", "--url", service.url)
    assert following.stdout is not None
    assert following.stdout.readline() == "one\n"
    logged = service.stop()
    write(tmp_path, "two\n")
    end(database, running)
    service.start()
    out, err = following.communicate(timeout=60)
    assert (following.returncode, out, err) == (0, "two\n", "")
    followed = [line for line in logged if line.get("route") == "/vmwright/runs/{run}/log"]
    assert [line["broken_off"] for line in followed] == [True, True]
    assert not [line for line in logged if "exception" in line]


@pytest.mark.parametrize(
    ("url", "token", "code", "said"),
    [
        ("http://localhost:1", "a token", 2, "is no address of a service"),
        ("https://localhost:1", "", 2, "hint: export VMWRIGHT_TOKEN=$(az account get-access-token"),
        ("https://localhost:1", "a token", 1, "cannot be reached"),
        ("", "a token", 1, "hint: export VMWRIGHT_TOKEN="),
    ],
    ids=["no TLS", "no token", "nobody there", "a bad token"],
)
def test_what_is_missing_is_said(
    laptop: Vmwright, service: Service, url: str, token: str, code: int, said: str
) -> None:
    with_token = Vmwright(laptop.home, {**laptop.environment, "VMWRIGHT_TOKEN": token})
    done = with_token("logs", "web", "--url", url or service.url)
    assert done.code == code, done.err
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_build_that_is_not_there(laptop: Vmwright, service: Service) -> None:
    done = laptop("logs", "none", "--url", service.url)
    assert (done.code, "There is no build none" in done.err) == (1, True)
