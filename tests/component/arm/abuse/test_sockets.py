"""Clients that speak as none should, on a real socket: refused or served, and others are served on."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from vmwright.arm import connections
from vmwright.arm.http.app import Arm
from vmwright.arm.identity import secret_hashes
from vmwright.arm.serving import Opened, Serving
from vmwright.events import Events
from vmwright.settings import ServiceSettings, Settings
from vmwright.state.database import Database

SOON = 0.2
# nothing here is the database's
pytestmark = pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Wire:
    """A service on its socket."""

    port: int
    trust: ssl.SSLContext

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.trust, server_hostname="localhost"
        )

    async def say(self, content: bytes) -> bytes:
        """Send bytes, and return all that comes until the service ends the connection."""
        reader, writer = await self.open()
        with contextlib.closing(writer):
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                writer.write(content)
                await writer.drain()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                return await reader.read()
            return b""

    async def answers(self) -> None:
        """Check that the service answers as ever."""
        answer = await self.say(request(b"GET /metadata/endpoints?api-version=2022-09-01 HTTP/1.1"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"name":"vmwright"' in answer


def request(first: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    lines = (first, b"Host: localhost", b"Connection: close", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.fixture
async def wire(
    settings: Settings, database: Database, events: Events, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Wire]:
    monkeypatch.setattr(secret_hashes, "LOG_N", 4)
    monkeypatch.setattr(connections, "HEAD_SECONDS", SOON)
    monkeypatch.setattr(connections, "TAKE_SECONDS", SOON)
    monkeypatch.setattr("vmwright.arm.assembly.Arm", functools.partial(Arm, body_seconds=SOON))
    listening = ServiceSettings(listen="127.0.0.1:0")
    opened: asyncio.Future[Opened] = asyncio.get_running_loop().create_future()
    serving = Serving(settings.model_copy(update={"service": listening}), database, events, builds=False)
    task = asyncio.create_task(serving.serve(opened.set_result))
    found = await opened
    wire = Wire(int(found.url.rpartition(":")[2]), ssl.create_default_context(cafile=found.ca))
    await wire.answers()
    yield wire
    await wire.answers()
    serving.stop()
    await task


GET = b"GET /metadata/endpoints HTTP/1.1"
PUT = b"PUT /subscriptions/s/resourceGroups/g?api-version=2021-04-01 HTTP/1.1"
TOKEN = b"POST /adfs/oauth2/token HTTP/1.1"
ODD = {
    "two lengths": request(TOKEN, b"Content-Length: 3", b"Content-Length: 4", body=b"a=bc"),
    "a length that is none": request(TOKEN, b"Content-Length: +3", body=b"a=b"),
    "a length below zero": request(TOKEN, b"Content-Length: -1"),
    "a length beyond all": request(TOKEN, b"Content-Length: " + b"9" * 400),
    "a length and chunks": request(
        TOKEN, b"Content-Length: 3", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "another coding": request(TOKEN, b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "a chunk that is none": request(TOKEN, b"Transfer-Encoding: chunked", body=b"zz\r\n\r\n"),
    "a chunk beyond all": request(TOKEN, b"Transfer-Encoding: chunked", body=b"f" * 100 + b"\r\n"),
    "two hosts": request(GET, b"Host: evil.example"),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a host of nothing": request(GET).replace(b"Host: localhost", b"Host:"),
    "a host with a path": request(GET).replace(b"Host: localhost", b"Host: localhost/../x"),
    "a header without a colon": request(GET, b"nonsense"),
    "a header with a null": request(GET, b"X: a\0b"),
    "a header with a blank": request(GET, b"X : a"),
    "a folded header": request(GET, b"X: a\r\n b"),
    "a bare line feed": request(GET, b"X: a\nY: b"),
    "a huge header": request(GET, b"X: " + b"a" * 200_000),
    "many headers": request(GET, *(b"X-%d: a" % number for number in range(20_000))),
    "a huge path": request(b"GET /" + b"a" * 200_000 + b" HTTP/1.1"),
    "a path with a blank": request(b"GET /a b HTTP/1.1"),
    "a path beyond ASCII": request(b"GET /\xff\xfe HTTP/1.1"),
    "a whole address": request(b"GET http://169.254.169.254/latest HTTP/1.1"),
    "a tunnel": request(b"CONNECT 169.254.169.254:80 HTTP/1.1"),
    "a star": request(b"OPTIONS * HTTP/1.1"),
    "a method that is none": request(b"G\0T / HTTP/1.1"),
    "a method in small letters": request(b"get /openapi.json HTTP/1.1"),
    "a version that is none": request(b"GET / HTTP/9.9"),
    "no version": b"GET /\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\n",
    "an upgrade": request(GET, b"Upgrade: h2c, websocket", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
    "noise": bytes(range(256)) * 400,
    "nothing": b"",
    "blank lines": b"\r\n" * 50_000,
}


async def test_what_is_not_http_is_refused(wire: Wire) -> None:
    for name, odd in ODD.items():
        answer = await wire.say(odd)
        assert not answer.startswith(b"HTTP/1.1 5"), (name, answer)
        assert answer.count(b"HTTP/1.1 ") <= 1, (name, answer)


async def test_what_is_not_tls_is_not_answered(wire: Wire) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(request(GET))
    with contextlib.suppress(ConnectionError):
        assert b"HTTP/1.1" not in await reader.read()
    writer.close()


async def test_a_head_that_does_not_arrive_ends_the_connection(wire: Wire) -> None:
    for begun in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "):
        assert await wire.say(begun) == b""


async def test_a_second_request_may_not_take_longer_than_the_first(wire: Wire) -> None:
    reader, writer = await wire.open()
    writer.write(request(GET).replace(b"Connection: close\r\n", b""))
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")

    async def trickle() -> None:
        for letter in request(GET, b"X: " + b"a" * 100_000):
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(SOON / 10)

    trickling = asyncio.create_task(trickle())
    with contextlib.suppress(ConnectionError):
        await reader.read()
    trickling.cancel()
    await asyncio.gather(trickling, return_exceptions=True)
    writer.close()


async def test_a_body_that_does_not_arrive_is_answered_with_408(wire: Wire) -> None:
    answer = await wire.say(request(TOKEN, b"Content-Length: 100", body=b"grant_type="))
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_large_body_is_not_read_for_who_has_no_token(wire: Wire) -> None:
    answer = await wire.say(request(PUT, b"Content-Length: 1000000000000", body=b" " * 100_000))
    assert answer.startswith(b"HTTP/1.1 401 ") or not answer


async def test_a_form_that_is_too_large_is_refused(wire: Wire) -> None:
    answer = await wire.say(request(TOKEN, b"Content-Length: 5000000", body=b"a" * 100_000))
    assert answer.startswith(b"HTTP/1.1 413 ") or not answer


async def test_who_goes_away_or_takes_nothing_leaves_nothing_open(wire: Wire) -> None:
    before = open_files()
    whole = request(b"GET /openapi.json HTTP/1.1").replace(b"Connection: close\r\n", b"")
    for content in (whole[:20], whole, request(TOKEN, b"Content-Length: 9", body=b"a")):
        for way in (socket.SHUT_WR, socket.SHUT_RDWR):
            plain = await asyncio.to_thread(speak, wire, content)
            plain.shutdown(way)
            plain.close()
    # asks on and on, and reads nothing
    deaf = await asyncio.to_thread(speak, wire, whole * 50)
    while open_files() > before + 1:
        await asyncio.sleep(0)
    deaf.close()
    while open_files() > before:
        await asyncio.sleep(0)


def speak(wire: Wire, content: bytes) -> socket.socket:
    """Send bytes, and return the socket below the TLS."""
    plain = socket.create_connection(("127.0.0.1", wire.port))
    tls = wire.trust.wrap_socket(plain, server_hostname="localhost")
    tls.sendall(content)
    return socket.socket(fileno=tls.detach())


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


async def test_one_connection_too_many_is_ended_and_no_other(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60.0)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    kept = [await wire.open() for _ in range(3)]
    assert await wire.say(request(GET)) == b""
    for reader, writer in kept:
        writer.write(request(GET))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
