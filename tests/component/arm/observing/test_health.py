"""Probes: is the service alive, and ready?"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import httpx2
import pytest

from tests.component.arm.asking import HOST
from vmwright.arm.assembly import Assembled, assemble
from vmwright.arm.observing import health
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import Database


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def service(settings: Settings, database: Database, events: Events) -> Assembled:
    return assemble(settings, database, events)


async def probe(service: Assembled, path: str = "/readyz") -> tuple[int, Any]:
    transport = httpx2.ASGITransport(app=service.app)
    async with httpx2.AsyncClient(transport=transport, base_url=HOST) as client:
        answer = await client.get(path)
        return answer.status_code, answer.json()


async def test_a_service_that_is_well(service: Assembled) -> None:
    assert await probe(service, "/healthz") == (200, {"status": "alive"})
    ready = {"status": "ready", "checks": {"database": {"ok": True}, "disk": {"ok": True}}}
    assert await probe(service) == (200, ready)


async def test_a_full_disk(service: Assembled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 0))
    status, told = await probe(service)
    assert (status, told["status"]) == (503, "not ready")
    assert told["checks"]["disk"] == {"ok": False, "reason": "less than 1 GiB is free"}


async def test_a_worker_beside_it_that_has_ended(service: Assembled) -> None:
    wrong = ""
    service.health.also("worker", lambda: wrong)
    assert (await probe(service))[1]["checks"]["worker"] == {"ok": True}
    wrong = "it takes no builds"
    status, told = await probe(service)
    assert (status, told["checks"]["worker"]) == (503, {"ok": False, "reason": wrong})


@pytest.fixture
async def hanging(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[int]]:
    """How often a database was asked that does not answer."""
    answers = threading.Event()
    asked: list[int] = []

    @contextlib.contextmanager
    def session() -> Iterator[None]:
        asked.append(1)
        answers.wait()
        yield

    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(database, "session", session)
    yield asked
    answers.set()


async def test_a_database_that_hangs_is_asked_once_and_says_nothing_of_itself(
    hanging: list[int], settings: Settings, database: Database, events: Events
) -> None:
    service = assemble(settings, database, events)
    answers = await asyncio.gather(*(probe(service) for _ in range(20)))
    assert {status for status, _ in answers} == {503}
    reason = "it cannot be read, or does not answer in time"
    assert answers[0][1]["checks"]["database"] == {"ok": False, "reason": reason}
    assert len(hanging) == 1
    assert await probe(service, "/healthz") == (200, {"status": "alive"})
