"""Where the credential of an identity goes on the way to a blob, and where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vmwright.downloads import Downloader, Origin
from vmwright.errors import DownloadError
from vmwright.events import Event, Events
from vmwright.settings import Settings

SIGNATURE = "c2VjcmV0LXNpZ25hdHVyZQ"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
REFUSED = (
    b"HTTP/1.1 403 Forbidden\r\nx-ms-request-id: 1\r\nx-ms-error-code: AuthenticationFailed\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)

Fetch = Callable[..., Any]


@pytest.fixture
def fetch(server: Any, tmp_path: Path, said: list[Event]) -> Fetch:
    async def one(path: str, **more: Any) -> bytes:
        account = {"endpoint": server.url("/corpscripts"), "sas": f"sv=2021-08-06&sig={SIGNATURE}"}
        given = {"home": tmp_path, "identities": {"*": {"storage": {"corpscripts": account}}}, **more}
        downloader = Downloader(Settings.model_validate(given), Events(said.append), identities=("any",))
        url = server.url(path)
        got = await downloader.fetch(
            url, tmp_path / "got", sha256=None, what="the script", origin=Origin.SERVICE
        )
        return got.path.read_bytes()

    return one


async def test_each_attempt_is_opened(server: Any, fetch: Fetch) -> None:
    server.answers = [server.response(status="503 Server Busy"), OK]
    assert await fetch("/corpscripts/c/x") == b"ok"
    assert [asked.path for asked in server.asked] == [f"/corpscripts/c/x?sv=2021-08-06&sig={SIGNATURE}"] * 2


async def test_a_redirect_leaves_the_credential_behind(server: Any, fetch: Fetch) -> None:
    there = server.url("/elsewhere", host="localhost")
    server.answers = [server.response(status="302 Found", Location=there), OK]
    assert await fetch("/corpscripts/c/x") == b"ok"
    assert server.asked[1].path == "/elsewhere"
    assert "authorization" not in server.asked[1].headers


async def test_a_redirect_to_another_blob_is_not_opened_either(server: Any, fetch: Fetch) -> None:
    server.answers = [server.response(status="302 Found", Location="/corpscripts/c/other"), REFUSED]
    with pytest.raises(DownloadError, match=r"HTTP 403 Forbidden \(AuthenticationFailed\)"):
        await fetch("/corpscripts/c/x")
    assert server.asked[1].path == "/corpscripts/c/other"


async def test_a_mirror_gets_no_credential(server: Any, fetch: Fetch) -> None:
    server.answers = [OK]
    mirrors = {server.url("/corpscripts/"): server.url("/corpscripts/mirror/", host="localhost")}
    assert await fetch("/corpscripts/c/x", mirrors=mirrors) == b"ok"
    assert [asked.path for asked in server.asked] == ["/corpscripts/mirror/c/x"]


@pytest.mark.parametrize("account", ["corpscripts", "public"], ids=["no-identity", "no-account"])
async def test_a_public_blob_is_fetched_without_a_credential(
    server: Any, tmp_path: Path, said: list[Event], account: str
) -> None:
    """Of a template without identity, and of an account that the identity is not configured for."""
    identities = ("any",) if account == "public" else ()
    held = {"endpoint": server.url("/corpscripts"), "sas": f"sig={SIGNATURE}"}
    settings = {"home": tmp_path, "identities": {"*": {"storage": {"corpscripts": held}}}}
    downloader = Downloader(Settings.model_validate(settings), Events(said.append), identities=identities)
    server.answers = [OK]
    await downloader.fetch(
        server.url(f"/{account}/c/x"),
        tmp_path / "got",
        sha256=None,
        what="the script",
        origin=Origin.SERVICE,
    )
    assert [asked.path for asked in server.asked] == [f"/{account}/c/x"]
    assert "authorization" not in server.asked[0].headers
