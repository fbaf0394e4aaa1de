"""What Prometheus is told, of the whole service."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.component.arm.asking import HOST
from tests.queueing import end, row_of, submit, worker
from vmwright.arm.assembly import Assembled, assemble
from vmwright.arm.observing import metrics as metrics_module
from vmwright.events import Events
from vmwright.runs.queue import claim
from vmwright.settings import OidcSettings, ServiceSettings, Settings
from vmwright.state.database import Database
from vmwright.state.service_tables import OperationRow
from vmwright.state.tables import BuildRow, StepRow

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
UNREACHABLE = OidcSettings(issuer="https://login.example/", audience="api://vmwright")


def of(settings: Settings, database: Database, events: Events, **service: object) -> Assembled:
    given = settings.model_copy(update={"service": ServiceSettings.model_validate(service)})
    return assemble(given, database, events)


@pytest.fixture
async def client(settings: Settings, database: Database, events: Events) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=of(settings, database, events).app)
    async with httpx2.AsyncClient(transport=transport, base_url=HOST) as client:
        yield client


async def samples(client: httpx2.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def a(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


async def test_requests_are_counted_by_route_and_never_by_what_clients_choose(
    client: httpx2.AsyncClient,
) -> None:
    for number in range(3):
        await client.get(f"/subscriptions/{number}/resourceGroups?api-version=2021-04-01")
        await client.get(f"/nowhere/{number}")
        await client.request(f"METHOD{number}", "/healthz")
    told = await samples(client)
    groups = "/subscriptions/{subscription}/resourceGroups"
    assert told[a("vmwright_http_requests_total", method="GET", route=groups, status="401")] == 3
    assert told[a("vmwright_http_requests_total", method="GET", route="none", status="404")] == 3
    assert told[a("vmwright_http_requests_total", method="other", route="none", status="405")] == 3
    assert told[a("vmwright_http_request_seconds_count", method="GET", route=groups)] == 3
    assert told[a("vmwright_http_requests_open")] == 1
    assert told[a("vmwright_followers")] == 0


async def test_two_services_of_a_process_count_for_themselves(
    settings: Settings, database: Database, events: Events, client: httpx2.AsyncClient
) -> None:
    await client.get("/healthz")
    transport = httpx2.ASGITransport(app=of(settings, database, events).app)
    async with httpx2.AsyncClient(transport=transport, base_url=HOST) as other:
        assert a("vmwright_http_requests_total", method="GET", route="/healthz", status="200") not in (
            await samples(other)
        )


async def test_builds_are_counted_and_timed(client: httpx2.AsyncClient, database: Database) -> None:
    executor = worker(database)
    done = claim(database, submit(database, "done"), executor)
    assert done is not None
    end(database, done)
    with database.session() as session:
        row = session.get_one(BuildRow, done.build_id)
        assert row.taken_at is not None
        row.started_at = row.taken_at - timedelta(seconds=100)
        row.ended_at = row.taken_at + timedelta(seconds=20)
        session.add(
            StepRow(
                build_id=row.id,
                number=1,
                attempt=1,
                name="one",
                kind="Shell",
                state="Succeeded",
                started_at=row.taken_at,
                ended_at=row.taken_at + timedelta(seconds=2),
            )
        )
        session.add_all(
            OperationRow(
                id=f"{number}",
                kind="imageTemplates/write" if number else "imageTemplates/run",
                resource_id="",
                subscription="",
                location="",
                status="InProgress",
                build_id=None if number else done.build_id,
                started_at=row.taken_at,
            )
            for number in range(3)
        )
    assert claim(database, submit(database, "running"), executor)
    waiting = [row_of(database, submit(database, name)) for name in ("first", "second")]
    told = await samples(client)
    assert told[a("vmwright_builds", state="Succeeded", sub_state="")] == 1
    assert told[a("vmwright_builds", state="Running", sub_state="Building")] == 1
    assert told[a("vmwright_builds", state="Running", sub_state="Queued")] == 2
    assert told[a("vmwright_builds_waiting")] == 2
    with database.session() as session:
        age = (database.now(session) - waiting[0].started_at).total_seconds()
    assert age - 60 < told[a("vmwright_builds_oldest_waiting_seconds")] <= age
    took = {"state": "Succeeded"}
    assert told[a("vmwright_build_seconds_count", **took)] == 1
    assert 19 <= told[a("vmwright_build_seconds_sum", **took)] <= 21
    assert told[a("vmwright_build_seconds_bucket", le="15.0", **took)] == 0
    assert told[a("vmwright_build_seconds_bucket", le="30.0", **took)] == 1
    assert told[a("vmwright_build_waited_seconds_bucket", le="60.0")] == 0
    assert told[a("vmwright_build_waited_seconds_bucket", le="120.0")] == 1
    assert told[a("vmwright_step_seconds_bucket", kind="Shell", state="Succeeded", le="5.0")] == 1
    assert told[a("vmwright_operations_open", kind="imageTemplates/write")] == 2
    assert a("vmwright_operations_open", kind="imageTemplates/run") not in told
    assert told[a("vmwright_executors", kind="worker", state="active")] == 1
    assert told[a("vmwright_database_up")] == 1
    assert 0 < told[a("vmwright_home_free_bytes")] <= told[a("vmwright_home_size_bytes")]


@pytest.fixture
async def hanging(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A database that does not answer."""
    answers = threading.Event()
    monkeypatch.setattr(metrics_module, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(metrics_module, "figures", lambda _database: answers.wait())
    yield
    answers.set()


@pytest.mark.usefixtures("hanging")
async def test_a_database_that_hangs_is_told_of(
    settings: Settings, database: Database, events: Events
) -> None:
    transport = httpx2.ASGITransport(app=of(settings, database, events).app)
    async with httpx2.AsyncClient(transport=transport, base_url=HOST) as client:
        told = await samples(client)
    assert told[a("vmwright_database_up")] == 0
    assert a("vmwright_builds_waiting") not in told
    assert a("vmwright_home_free_bytes") in told


async def test_where_others_reach_the_service_metrics_want_a_token(
    settings: Settings, database: Database, events: Events
) -> None:
    app = of(settings, database, events, listen="0.0.0.0:8443", oidc=UNREACHABLE).app
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=HOST) as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/healthz")).status_code == 200
