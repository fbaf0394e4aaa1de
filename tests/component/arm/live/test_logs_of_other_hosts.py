"""A build that runs on another host: what the store that hosts share has of its logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.component.arm.live.conftest import Running, Somebody
from vmwright.arm.live import watches
from vmwright.arm.service import Service
from vmwright.builds.log import FILE_NAME
from vmwright.runs import logs
from vmwright.runs.records import BuildRecords
from vmwright.settings import Settings, StoreSettings

Begin = Callable[..., Running]
Clients = Callable[..., Somebody]


@pytest.fixture
def shared(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "shared").mkdir()
    return settings.model_copy(update={"store": StoreSettings(url=(tmp_path / "shared").as_uri())})


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is on another host than the build."""
    monkeypatch.setattr(logs, "host_id", lambda: "another host")


async def store(service: Service, build: Running, text: bytes) -> None:
    """Do what a worker does after each step."""
    key = f"builds/{build.id}/1/{FILE_NAME}"
    await service.images.artifacts.put_bytes(key, text)
    BuildRecords(build.database, build.claim).log_shared(FILE_NAME, key)


@pytest.mark.usefixtures("elsewhere")
class TestWithASharedStore:
    @pytest.fixture
    def settings(self, shared: Settings) -> Settings:
        return shared

    async def test_its_log_is_followed_by_the_copies_that_are_stored(
        self, build: Begin, somebody: Clients, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watches, "POLLS_BETWEEN_COPIES", 1)
        running = build()
        await store(service, running, b"one\n")
        async with somebody().stream(f"/vmwright/runs/{running.id}/log?follow=true") as answer:
            given = answer.aiter_lines()
            assert await anext(given) == "one"
            await store(service, running, b"one\ntwo\n")
            assert await anext(given) == "two"
            await store(service, running, b"one\ntwo\nthree\n")
            running.end()
            assert [line async for line in given] == ["three"]


@pytest.mark.usefixtures("elsewhere")
async def test_without_a_store_it_is_said_where_the_log_is(build: Begin, somebody: Clients) -> None:
    running = build()
    for query in ("", "?follow=true"):
        async with asyncio.timeout(60):
            answer = await somebody().get(f"/vmwright/runs/{running.id}/log{query}")
        assert answer.status_code == 404
        assert "no copy of it is in a store that hosts share" in answer.json()["error"]["message"]
