"""1,000 clients at once, over TLS, at a service in a process of its own: served, and all is given back."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

CLIENTS = 1000
SERVE = "from vmwright.cli.app import main; main()"
ADDRESS = re.compile(r"--endpoint-resource-manager https://localhost:(\d+)")
LOGIN = re.compile(r"--service-principal -u (\S+) ")
# What a connection may take, TLS and all, and what the service may grow by besides.
CONNECTION_KIB, REST_KIB = 400, 100 << 10


@dataclass(frozen=True)
class Process:
    """A service in a process; what it holds is the kernel's to say."""

    pid: int
    port: int
    trust: ssl.SSLContext
    token: str

    def memory_kib(self) -> int:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1])

    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("localhost", self.port, ssl=self.trust)


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    arguments = (sys.executable, "-c", SERVE, "serve", "--listen", "127.0.0.1:0", "--no-worker")
    environment = {**os.environ, "VMWRIGHT_HOME": str(tmp_path)}
    started = await asyncio.create_subprocess_exec(
        *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert started.stdout is not None
    said = ""
    while not (login := LOGIN.search(said)):
        line = await started.stdout.readline()
        assert line, said
        said += line.decode()
    address = ADDRESS.search(said)
    assert address is not None
    trust = ssl.create_default_context(cafile=tmp_path / "service" / "ca.pem")
    form = {
        "grant_type": "client_credentials",
        "client_id": login[1],
        "client_secret": (tmp_path / "service" / "owner-secret").read_text().strip(),
    }
    async with httpx2.AsyncClient(base_url=f"https://localhost:{address[1]}", verify=trust) as client:
        token = (await client.post("/adfs/oauth2/token", data=form)).json()["access_token"]
    yield Process(started.pid, int(address[1]), trust, token)
    started.terminate()
    await started.communicate()


async def test_a_thousand_clients_are_served_and_leave_nothing_behind(process: Process) -> None:
    files, memory = process.files(), process.memory_kib()
    clients = await asyncio.gather(*(process.open() for _ in range(CLIENTS)))
    path = "/subscriptions?api-version=2022-12-01"
    asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
    answers = await asyncio.gather(*(ask(client, f"{asked}{process.token}\r\n\r\n") for client in clients))
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert process.memory_kib() - memory < CLIENTS * CONNECTION_KIB + REST_KIB
    while process.files() > files + CLIENTS // 10:  # its threads have connections to the database
        await asyncio.sleep(0.01)
    reader, writer = await process.open()
    assert b'"displayName":"vmwright"' in await ask((reader, writer), f"{asked}{process.token}\r\n\r\n")


async def ask(client: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: str) -> bytes:
    reader, writer = client
    writer.write(request.encode())
    try:
        return await reader.read()
    finally:
        writer.close()
