"""Private blobs of a real Azurite, opened by the identity of a template."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.building import open_build, run_build
from tests.conftest import SHARED
from tests.object_servers import ACCOUNT, Azurite
from tests.scripted import Recorder
from vmwright import settings as configuration
from vmwright.artifacts.facts import ImageFacts
from vmwright.builds import inputs
from vmwright.builds.build import Build
from vmwright.downloads import Downloader, Origin
from vmwright.errors import DownloadError, StepError
from vmwright.events import Events, Notice, as_json
from vmwright.runs.listing import find_run
from vmwright.runs.request import BuildRequest
from vmwright.settings import Settings
from vmwright.sources.base_disk import BaseDisk
from vmwright.state.database import Database, open_database
from vmwright.template import read
from vmwright.template.model import Generation, OsType, Template

IDENTITY = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/images/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/builder"
)
SCRIPT = b"#!/bin/sh -e\necho hello from a private container\n"
QUICKSTART = "qs_az_7_Creating_Custom_Image_using_MSI_to_Access_Storage_helloImageTemplateMsi.json"

Configure = Callable[..., Settings]
Fetch = Callable[..., Any]


@pytest.fixture
def script(azurite: Azurite) -> str:
    """The URL of a script in a private container."""
    return azurite.put("folder/my script.sh", SCRIPT).replace(" ", "%20")


@pytest.fixture
def configure(azurite: Azurite, tmp_path: Path) -> Configure:
    def make(*, identity: str = "*", **credential: Any) -> Settings:
        storage = {ACCOUNT: {"endpoint": azurite.endpoint, **credential}}
        return Settings.model_validate(
            {"home": tmp_path / "home", "identities": {identity: {"storage": storage}}}
        )

    return make


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def fetch(tmp_path: Path, recorder: Recorder) -> Fetch:
    async def one(settings: Settings, url: str, *, identities: tuple[str, ...] = (IDENTITY,)) -> bytes:
        downloader = Downloader(settings, Events(recorder), identities=identities)
        got = await downloader.fetch(
            url, tmp_path / "got", sha256=None, what="the script", origin=Origin.SERVICE
        )
        return got.path.read_bytes()

    return one


@pytest.mark.parametrize("mark", ["", "?"])
async def test_a_sas_opens_a_private_blob(
    azurite: Azurite, script: str, configure: Configure, fetch: Fetch, recorder: Recorder, mark: str
) -> None:
    settings = configure(identity=IDENTITY.upper(), sas=f"{mark}{azurite.sas()}")
    assert await fetch(settings, script) == SCRIPT
    assert [notice.message for notice in recorder.of(Notice)] == [
        f'the script is opened with identities."{IDENTITY.upper()}".storage.{ACCOUNT}'
    ]


async def test_a_key_opens_a_private_blob(
    azurite: Azurite, script: str, configure: Configure, fetch: Fetch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(f"{azurite.key}\n")
    assert await fetch(configure(account_key={"file": tmp_path / "key"}), script) == SCRIPT


async def test_a_url_with_its_own_sas_needs_no_identity_and_is_left_alone(
    azurite: Azurite, script: str, configure: Configure, fetch: Fetch
) -> None:
    signed = f"{script}?{azurite.sas()}"
    assert await fetch(configure(sas="sig=another"), signed) == SCRIPT
    assert await fetch(configure(sas="sig=another"), signed, identities=()) == SCRIPT


async def test_a_snapshot_is_opened_like_its_blob(
    azurite: Azurite, configure: Configure, fetch: Fetch
) -> None:
    url = azurite.put("kept.sh", b"old")
    snapshot = azurite.snapshot("kept.sh")
    azurite.put("kept.sh", b"new")
    settings = configure(account_key=azurite.key)
    assert await fetch(settings, f"{url}?snapshot={snapshot}") == b"old"
    assert await fetch(settings, url) == b"new"


class TokenEndpoint(BaseHTTPRequestHandler):
    """What a managed identity asks for tokens, as App Service and Arc have it."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        audience = asked["resource"][0]
        if "client_id" in asked and asked["client_id"] != ["known"]:
            self.answer(400, {"error": "no such identity", "message": "no such identity"})
        else:
            self.answer(200, {"access_token": token(audience), "expires_on": str(int(time.time()) + 3600)})

    def answer(self, status: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def token(audience: str) -> str:
    """A token as Azurite checks it: who made it, for whom, when; not its signature."""
    now = int(time.time())
    claims = {"iss": "https://sts.windows.net/x/", "aud": audience, "iat": now, "nbf": now, "exp": now + 3600}
    parts = ({"alg": "RS256", "typ": "JWT"}, claims, {"not": "checked"})
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )


@pytest.fixture
def managed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This host has a managed identity, whose tokens it gets on loopback."""
    with HTTPServer(("127.0.0.1", 0), TokenEndpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "code")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("more", [{"azure_identity": "default"}, {"azure_identity": "managed"}])
async def test_azure_identity_opens_a_private_blob(
    script: str, configure: Configure, fetch: Fetch, managed: None, recorder: Recorder, more: dict[str, str]
) -> None:
    assert await fetch(configure(**more), script) == SCRIPT
    assert "eyJ" not in str([as_json(event) for event in recorder.seen])


async def test_an_identity_that_this_host_does_not_have_is_said(
    script: str, configure: Configure, fetch: Fetch, managed: None
) -> None:
    with pytest.raises(DownloadError, match=r'azure-identity has no token for identities\."\*"'):
        await fetch(configure(azure_identity="managed", client_id="unknown"), script)


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        ({"account_key": base64.b64encode(b"another key").decode()}, "AuthorizationFailure"),
        ({"sas": "sv=2021-08-06&sr=c&sp=r&se=2030-01-01&sig=bm90IHNpZ25lZCBieSBhbnlib2R5"}, "HTTP 403"),
    ],
)
async def test_a_wrong_credential_is_refused_and_named(
    script: str, configure: Configure, fetch: Fetch, credential: dict[str, str], said: str
) -> None:
    with pytest.raises(DownloadError, match=said) as caught:
        await fetch(configure(**credential), script)
    assert f'identities."*".storage.{ACCOUNT} in vmwright.toml gives' in str(caught.value.hint)
    assert all(secret not in _all(caught.value) for secret in credential.values())


async def test_a_blob_that_is_missing_is_not_mistaken_for_a_private_one(
    azurite: Azurite, script: str, configure: Configure, fetch: Fetch
) -> None:
    with pytest.raises(DownloadError, match=r"HTTP 404 .*\(BlobNotFound\)"):
        await fetch(configure(sas=azurite.sas()), f"{script}.old")


async def test_the_lines_that_an_unmapped_identity_is_told_to_add_open_the_blob(
    azurite: Azurite, script: str, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VMWRIGHT_HOME", str(tmp_path / "home"))
    with pytest.raises(DownloadError, match=r"HTTP 40[349]") as caught:
        await fetch(configuration.load(), script)
    hint = str(caught.value.hint)
    Path("vmwright.toml").write_text(hint[hint.index("\n[identities.") :])
    monkeypatch.setenv("STORAGE_SAS", azurite.sas())
    assert await fetch(configuration.load(), script) == SCRIPT


async def test_a_template_without_identity_opens_nothing(
    azurite: Azurite, script: str, configure: Configure, fetch: Fetch
) -> None:
    with pytest.raises(DownloadError, match=r"HTTP 40[349]") as caught:
        await fetch(configure(sas=azurite.sas()), script, identities=())
    assert "only to a template with an identity" in str(caught.value.hint)


@pytest.fixture
def template(script: str) -> Template:
    """The quickstart of Azure's own samples, with a script in a private container."""
    if not (file := SHARED / "templates" / QUICKSTART).exists():
        pytest.skip(f"{file} is not there")
    values = {"imgBuilderId": IDENTITY, "scriptUrl": script}
    reading = read(file.read_bytes(), values=values)
    assert reading.template, reading.problems
    return reading.template


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


async def test_the_quickstart_gets_its_script_by_its_identity(
    azurite: Azurite,
    configure: Configure,
    template: Template,
    database: Database,
    recorder: Recorder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    sas = azurite.sas()
    settings = configure(identity=IDENTITY, sas=sas)
    request = BuildRequest(template=template, name="test")
    build = open_build(request, settings=settings, database=database, events=Events(recorder))
    await inputs.fetch_steps(build)
    (step,) = (await inputs.open_steps(build)).customize
    assert step.file.read_bytes() == SCRIPT
    assert sas.rpartition("sig=")[2] not in caplog.text + "".join(map(as_json, recorder.seen))


async def test_a_build_that_is_refused_shows_its_secrets_nowhere(
    azurite: Azurite,
    configure: Configure,
    template: Template,
    database: Database,
    recorder: Recorder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    async def source(_build: Build) -> BaseDisk:
        """Find an empty file: the build fails before it is used."""
        (tmp_path / "disk").touch()
        return BaseDisk(
            path=tmp_path / "disk",
            digest="",
            facts=ImageFacts(
                os_type=OsType.LINUX, os_name="Linux", generation=Generation.V1, size_bytes=1 << 20
            ),
            exact_version="1.0.0",
            description="a source",
            builder_source="",
            made_at=datetime.now(UTC),
        )

    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(inputs, "find_source", source)
    expired = azurite.sas(hours=-2)
    result = await run_build(
        BuildRequest(template=template, name="refused"),
        settings=configure(identity=IDENTITY, sas=expired),
        database=database,
        events=Events(recorder),
    )
    assert isinstance(result.error, StepError)
    assert "AuthorizationFailure" in result.error.message
    record = find_run(database, result.id)
    told = "".join(map(as_json, recorder.seen)) + result.log.read_text() + caplog.text + str(record)
    assert "AuthorizationFailure" in told
    signature = expired.rpartition("sig=")[2]
    assert signature not in told + _all(result.error)


def _all(error: DownloadError | StepError) -> str:
    return f"{error.message} {error.target} {error.hint}"
