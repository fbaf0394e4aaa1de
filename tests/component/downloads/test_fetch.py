from __future__ import annotations

import asyncio
import hashlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
import stamina

from vmwright.downloads import Downloader, Fetched, Origin
from vmwright.downloads import downloader as downloading
from vmwright.errors import DownloadError
from vmwright.events import Event, Notice, Progress

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

BODY = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def fetch(downloader: Downloader, tmp_path: Path) -> Callable[..., Awaitable[Fetched]]:
    async def one(url: str, **more: Any) -> Fetched:
        given: dict[str, Any] = {"sha256": None, "what": "the script", "origin": Origin.SERVICE, **more}
        return await downloader.fetch(url, tmp_path / "got", **given)

    return one


def notes(said: list[Event]) -> list[str]:
    return [event.message for event in said if isinstance(event, Notice)]


async def test_a_file_arrives_whole_and_says_its_progress(
    server: Any, fetch: Any, said: list[Event], tmp_path: Path
) -> None:
    server.answers = [server.response(BODY)]
    fetched = await fetch(server.url(), sha256=SHA256.upper())
    assert fetched == Fetched(path=tmp_path / "got", digest=SHA256, size_bytes=len(BODY))
    assert (tmp_path / "got").read_bytes() == BODY
    progress = [event for event in said if isinstance(event, Progress)]
    assert (progress[-1].done, progress[-1].total) == (len(BODY), len(BODY))
    assert server.asked[0].headers["accept-encoding"] == "identity"


async def test_a_broken_connection_is_resumed_where_it_broke(server: Any, fetch: Any) -> None:
    def rest(asked: Any) -> Any:
        start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
        assert asked.headers["if-range"] == '"v1"'
        told = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        return server.response(BODY[start:], status="206 Partial Content", Content_Range=told, ETag='"v1"')

    server.answers = [server.response(BODY[:300_000], length=len(BODY), ETag='"v1"'), rest]
    assert (await fetch(server.url(), sha256=SHA256)).size_bytes == len(BODY)
    assert int(server.asked[1].headers["range"].strip("bytes=-")) > 0


async def test_a_file_that_changed_between_two_parts_is_fetched_anew(
    server: Any, fetch: Any, tmp_path: Path
) -> None:
    server.answers = [
        server.response(b"old" * 9000, length=len(BODY), ETag='"v1"'),
        server.response(BODY, ETag='"v2"'),
    ]
    await fetch(server.url())
    assert (tmp_path / "got").read_bytes() == BODY


async def test_parts_that_do_not_fit_together_are_fetched_anew_once_more(
    server: Any, fetch: Any, tmp_path: Path
) -> None:
    wrong = "bytes 27000-1048575/1048576"
    server.answers = [
        server.response(b"old" * 9000, length=len(BODY), ETag='"v1"'),
        server.response(BODY[27000:], status="206 Partial Content", Content_Range=wrong, ETag='"v1"'),
        server.response(BODY),
    ]
    await fetch(server.url(), sha256=SHA256)
    assert (tmp_path / "got").read_bytes() == BODY
    assert "range" not in server.asked[2].headers


async def test_the_wrong_part_is_not_taken_for_the_rest(server: Any, fetch: Any, tmp_path: Path) -> None:
    wrong = f"bytes 5-{len(BODY) - 1}/{len(BODY)}"
    server.answers = [
        server.response(BODY[:1000], length=len(BODY), ETag='"v1"'),
        server.response(BODY[5:], status="206 Partial Content", Content_Range=wrong),
        server.response(BODY),
    ]
    await fetch(server.url())
    assert (tmp_path / "got").read_bytes() == BODY


async def test_a_truncated_file_never_gets_its_name(server: Any, fetch: Any, tmp_path: Path) -> None:
    server.answers = [server.response(BODY[:-1], length=len(BODY))]
    with pytest.raises(DownloadError, match="failed after 10 attempts"):
        await fetch(server.url())
    assert len(server.asked) == 10
    assert [path.name for path in tmp_path.iterdir() if "got" in path.name] == []


async def test_a_busy_server_is_asked_again(server: Any, fetch: Any, said: list[Event]) -> None:
    busy = server.response(status="429 Too Many Requests", Retry_After="0")
    server.answers = [server.response(status="503 Service Unavailable"), busy, server.response(b"fine")]
    assert (await fetch(server.url())).size_bytes == 4
    assert notes(said) == [
        f"Downloading the script from {server.url()} [attempt 1 of 10] failed: HTTP 503 Service Unavailable",
        f"Downloading the script from {server.url()} [attempt 2 of 10] failed: HTTP 429 Too Many Requests",
    ]


async def test_a_refusal_is_final(server: Any, fetch: Any) -> None:
    server.answers = [server.response(status="404 Not Found")]
    with pytest.raises(DownloadError, match="HTTP 404 Not Found") as caught:
        await fetch(server.url("/gone"))
    assert len(server.asked) == 1
    assert caught.value.target == server.url("/gone")


async def test_no_server_at_all_names_the_attempts_and_a_mirror(
    server: Any, fetch: Any, unused_port: int
) -> None:
    with pytest.raises(DownloadError, match=r"failed after 10 attempts: .*refused") as caught:
        await fetch(f"http://127.0.0.1:{unused_port}/x")
    assert f'"http://127.0.0.1:{unused_port}/"' in str(caught.value.hint)


async def test_a_server_that_falls_silent_is_given_up(
    server: Any, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "READ_SECONDS", 0.05)
    server.answers = [None]
    with pytest.raises(DownloadError, match="after 10 attempts: the server did not answer in time"):
        await fetch(server.url())


async def test_an_unknown_host_is_not_asked_for_ten_times(fetch: Any, said: list[Event]) -> None:
    with pytest.raises(DownloadError, match=r"no-such-host\.invalid"):
        await fetch("http://no-such-host.invalid/x")
    assert len(notes(said)) in {0, 10}  # ten where the resolver says "try again", none where it is sure


async def test_a_wrong_checksum_names_file_expected_and_actual(
    server: Any, fetch: Any, tmp_path: Path
) -> None:
    server.answers = [server.response(BODY)]
    with pytest.raises(DownloadError, match=f"the script from .* has the SHA-256 {SHA256}, not {'ab' * 32}"):
        await fetch(server.url(), sha256="AB" * 32)
    assert len(server.asked) == 1
    assert not (tmp_path / "got").exists()


async def test_who_can_do_without_a_file_tries_less_often(server: Any, fetch: Any) -> None:
    server.answers = [server.response(status="503 Busy")]
    with stamina.set_testing(True, attempts=10, cap=True), pytest.raises(DownloadError, match="after 2 att"):
        await fetch(server.url(), attempts=2)
    assert len(server.asked) == 2


async def test_a_sha512_is_compared_as_well(server: Any, fetch: Any) -> None:
    server.answers = [server.response(BODY)]
    right = hashlib.sha512(BODY).hexdigest()
    assert (await fetch(server.url(), sha512=right.upper())).digest == right
    with pytest.raises(DownloadError, match=f"has the SHA-512 {right}, not {'ab' * 64}"):
        await fetch(server.url(), sha512="ab" * 64)


async def test_a_wrong_file_leaves_the_earlier_one_alone(server: Any, fetch: Any, tmp_path: Path) -> None:
    (tmp_path / "got").write_bytes(b"earlier")
    server.answers = [server.response(BODY)]
    with pytest.raises(DownloadError):
        await fetch(server.url(), sha256="00" * 32)
    assert (tmp_path / "got").read_bytes() == b"earlier"


@pytest.mark.parametrize("length", [None, 10], ids=["said beforehand", "found on the way"])
async def test_too_large_a_file_is_refused(server: Any, fetch: Any, length: int | None) -> None:
    whole = server.response(BODY)
    chunked = b"HTTP/1.0 200 OK\r\n\r\n" + BODY
    server.answers = [whole if length is None else chunked]
    with pytest.raises(DownloadError, match="larger than the 1000 bytes"):
        await fetch(server.url(), max_bytes=1000)
    assert len(server.asked) == 1


async def test_compressed_bytes_are_kept_and_told(
    server: Any, fetch: Any, said: list[Event], tmp_path: Path
) -> None:
    server.answers = [server.response(b"\x1f\x8bnot really", Content_Encoding="gzip")]
    await fetch(server.url())
    assert (tmp_path / "got").read_bytes() == b"\x1f\x8bnot really"
    assert "gzip" in notes(said)[0]


async def test_secrets_of_a_url_are_never_shown(
    server: Any, fetch: Any, said: list[Event], downloader: Downloader
) -> None:
    server.answers = [server.response(status="500 Oops")]
    secret = server.url("/f?sv=1&sig=aGVsbG8gd29ybGQ%3D").replace("//", "//me:passw0rd@")
    with pytest.raises(DownloadError) as caught:
        await fetch(secret)
    shown = f"{caught.value.message}{caught.value.target}{caught.value.hint}{notes(said)}"
    assert server.asked[0].headers["authorization"].startswith("basic ")
    assert "sig=" not in shown
    assert "passw0rd" not in shown
    downloader._events.note("echo aGVsbG8gd29ybGQ= passw0rd")
    assert notes(said)[-1] == "echo ****** ******"


async def test_cancelling_leaves_nothing_behind(server: Any, fetch: Any, tmp_path: Path) -> None:
    asked = asyncio.Event()

    def begin(_: Any) -> Any:
        asked.set()
        return server.response(BODY[:5000], length=len(BODY))

    server.answers = [begin]
    task = asyncio.create_task(fetch(server.url()))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.glob("got*")) == []


async def test_a_folder_that_is_not_there_is_said(
    server: Any, downloader: Downloader, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="cannot be written: No such file"):
        await downloader.fetch(
            server.url(), tmp_path / "no" / "where", sha256=None, what="x", origin=Origin.LOCAL
        )


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
