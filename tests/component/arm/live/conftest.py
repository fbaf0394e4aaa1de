"""A service with nothing but the ways to builds, on a socket, and builds that this process has."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from tests.component.arm.access.conftest import Names
from tests.component.arm.asking import SUBSCRIPTION, new_service
from tests.queueing import end, submit, worker
from vmwright.arm.access import roles
from vmwright.arm.access.access import Access, open_access
from vmwright.arm.access.assignments import Assignment
from vmwright.arm.access.gate import RoleGate
from vmwright.arm.http.app import Arm
from vmwright.arm.http.routing import Router
from vmwright.arm.live import runs, watches
from vmwright.arm.live.watches import Watches
from vmwright.arm.service import Service
from vmwright.builds.event_file import EventFile
from vmwright.builds.log import FILE_NAME
from vmwright.events import Event, Events
from vmwright.runs.queue import Claim, claim
from vmwright.runs.records import BuildRecords
from vmwright.settings import Settings
from vmwright.state.database import Database

S = f"/subscriptions/{SUBSCRIPTION}"
TEMPLATES = "providers/Microsoft.VirtualMachineImages/imageTemplates"


@dataclass(frozen=True)
class Running:
    """A build that somebody runs, with its logs."""

    database: Database
    claim: Claim
    folder: Path

    @property
    def id(self) -> str:
        return self.claim.build_id

    def write(self, text: str, log: str = FILE_NAME) -> None:
        with (self.folder / log).open("a") as file:
            file.write(text)

    def say(self, *events: Event) -> None:
        file = EventFile(self.folder)
        for event in events:
            file(event)
        file.close()

    def end(self) -> None:
        end(self.database, self.claim)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "POLL_SECONDS", 0.02)


@pytest.fixture
def service(settings: Settings, database: Database, events: Events) -> Service:
    return new_service(settings, database, events)


@pytest.fixture
def access(database: Database) -> Access:
    return open_access(database, SUBSCRIPTION)


@pytest.fixture
def followed(service: Service) -> Watches:
    return Watches(service)


@pytest.fixture
def build(database: Database, tmp_path: Path) -> Callable[..., Running]:
    """Begins a build, with logs that are empty."""
    executor = worker(database)

    def begin(name: str = "web", *logs: str, template_id: str | None = None, folder: str = "") -> Running:
        build_id = submit(database, name, template_id=template_id)
        taken = claim(database, build_id, executor)
        assert taken is not None
        root = tmp_path / "builds" / (folder or build_id)
        root.mkdir(parents=True)
        for log in logs or (FILE_NAME, "events.jsonl"):
            BuildRecords(database, taken).log(log, root / log)
        return Running(database, taken, root)

    return begin


@dataclass(frozen=True)
class Somebody:
    """Who has a token, at a service on a socket."""

    http: httpx2.AsyncClient

    def stream(self, path: str, **headers: str) -> Any:
        return self.http.stream("GET", path, headers=headers)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.http.get(path, headers=headers)


@pytest.fixture
async def somebody(
    service: Service, access: Access, database: Database, followed: Watches
) -> AsyncIterator[Callable[..., Somebody]]:
    """Gives a client of somebody who has a role at a scope, by default Reader of the subscription."""
    ids: dict[str, str] = {}
    app = Arm(
        Router(runs.routes(service, access.decisions, followed)), RoleGate(Names(ids), access.decisions)
    )
    async with on_socket(app) as url, contextlib.AsyncExitStack() as clients:

        def of(name: str = "reader", scope: str = S) -> Somebody:
            ids[name] = str(uuid.uuid4())
            access.assignments.put(
                Assignment(
                    scope=scope,
                    name=str(uuid.uuid4()),
                    role_id=roles.READER.id,
                    principal_id=ids[name],
                    principal_type="User",
                    description="",
                    created_by="",
                    created_at=datetime.now(UTC),
                )
            )
            access.decisions.changed()
            http = httpx2.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {name}"},
                timeout=60,
                limits=httpx2.Limits(max_connections=None),
            )
            clients.push_async_callback(http.aclose)
            return Somebody(http)

        yield of


@contextlib.asynccontextmanager
async def on_socket(app: Arm) -> AsyncIterator[str]:
    """Serve an application, and give its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
