"""A web server on loopback that answers with the very bytes a test wants, and then hangs up."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import stamina
import trustme

from vmwright.downloads import Downloader
from vmwright.events import Event, Events
from vmwright.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]


@dataclass
class Server:
    """Gives its answers in turn, the last one again and again; None is silence."""

    scheme: str
    answers: list[bytes | Callable[[Asked], bytes] | None] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/file", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    @staticmethod
    def response(
        body: bytes = b"", *, status: str = "200 OK", length: int | None = None, **headers: str
    ) -> bytes:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            self.asked.append(Asked(head[0].split()[1], headers))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                await reader.read()
            else:
                writer.write(answer if isinstance(answer, bytes) else answer(self.asked[-1]))
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    serving = Server("http")
    async with await asyncio.start_server(serving.serve, "127.0.0.1", 0) as listening:
        serving.port = listening.sockets[0].getsockname()[1]
        yield serving


@pytest.fixture
async def tls_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    serving = Server("https")
    async with await asyncio.start_server(serving.serve, "127.0.0.1", 0, ssl=context) as listening:
        serving.port = listening.sockets[0].getsockname()[1]
        yield serving


@pytest.fixture
def said() -> list[Event]:
    return []


@pytest.fixture
def downloader(tmp_path: Path, said: list[Event]) -> Downloader:
    return Downloader(Settings(home=tmp_path / "home"), Events(said.append))


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10):
        yield


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
