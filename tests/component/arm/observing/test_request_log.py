"""The service's own log: a line for each request, and nothing in it that is not the operator's to read."""

from __future__ import annotations

import io
import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from tests.component.arm.asking import HOST, SOMEBODY, OpenGate
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.app import Arm
from vmwright.arm.http.call import Call
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route, Router
from vmwright.arm.observing.logs import log_notice, written
from vmwright.arm.observing.metrics import RequestMetrics
from vmwright.arm.observing.requests import Observed
from vmwright.events import Events
from vmwright.settings import LogFormat

SECRET = "pass-word"
CORRELATION = str(uuid.uuid4())


async def thing(call: Call) -> Answer:
    if call.names["name"] == "broken":
        raise ValueError("broken")
    if call.names["name"] == "missing":
        raise ArmError(404, "ResourceNotFound", "It is not there.")
    if call.names["name"] == "moved":
        return Answer(status=202, headers={"x-ms-request-id": "the-operation"})
    return ok({"secret": SECRET})


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def lines(out: io.StringIO) -> Iterator[Any]:
    """Gives the lines that have been written since, as JSON."""
    with written(LogFormat.JSON, out):
        yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def client() -> httpx2.AsyncClient:
    arm = Arm(Router([Route(method="PUT", pattern="/Things/{name}", handler=thing)]), OpenGate())
    app = Observed(arm, RequestMetrics(CollectorRegistry()))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=HOST)


async def test_a_request_is_a_line(client: httpx2.AsyncClient, lines: Any) -> None:
    answer = await client.put(
        "/things/a%20b?sig=pass-word&API-Version=2020-02-14",
        json={"password": SECRET},
        headers={
            "authorization": f"Bearer {SECRET}",
            "x-ms-correlation-request-id": CORRELATION,
            "x-other": SECRET,
            "user-agent": "AZURECLI/2.91.0 (DEB)",
        },
    )
    (line,) = lines()
    assert SECRET not in json.dumps(line)
    assert line.pop("timestamp").endswith("Z")
    assert isinstance(line.pop("seconds"), float)
    assert line == {
        "level": "info",
        "logger": "vmwright.requests",
        "event": "request",
        "method": "PUT",
        "route": "/Things/{name}",
        "path": "/things/a%20b",
        "api_version": "2020-02-14",
        "status": 200,
        "client": "AZURECLI/2.91.0 (DEB)",
        "principal": SOMEBODY.id,
        "correlation_id": CORRELATION,
        "request_id": answer.headers["x-ms-request-id"],
    }


async def test_the_id_is_the_one_that_the_client_was_given(client: httpx2.AsyncClient, lines: Any) -> None:
    await client.put("/things/moved")
    assert lines()[0]["request_id"] == "the-operation"


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("PUT", "/things/missing", 404, "/Things/{name}"),
        ("PUT", "/things/broken", 500, "/Things/{name}"),
        ("PUT", "/things/..%2f", 400, "none"),
        ("GET", "/things/a", 405, "none"),
        ("BREW", "/nothing", 404, "none"),
    ],
)
async def test_what_is_refused_or_fails_is_a_line_too(
    client: httpx2.AsyncClient, lines: Any, method: str, path: str, status: int, route: str
) -> None:
    assert (await client.request(method, path)).status_code == status
    (line,) = lines()
    assert (line["status"], line["route"]) == (status, route)
    assert line["method"] == ("other" if method == "BREW" else method)


async def test_a_client_that_writes_to_the_log_does_not_get_a_line(
    client: httpx2.AsyncClient, lines: Any
) -> None:
    await client.put("/things/a%0a%1b[2Jfake%20line")
    (line,) = lines()
    assert line["path"] == "/things/a%0a%1b[2Jfake%20line"


def test_notes_warnings_and_the_servers_own_lines_are_in_it(lines: Any) -> None:
    events = Events(log_notice)
    events.keep_secret(SECRET)
    events.note(f"It has {SECRET}")
    events.warn("100 % of it")
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("httpx2").info("HTTP Request: GET https://x/?sig=1")
    logging.getLogger("azure").warning("careful")
    assert [(one["level"], one["event"]) for one in lines()] == [
        ("info", "It has ******"),
        ("warning", "100 % of it"),
        ("info", "Started"),
        ("warning", "careful"),
    ]


@pytest.mark.parametrize("log_format", LogFormat)
def test_each_event_is_one_line_that_no_terminal_obeys(out: io.StringIO, log_format: LogFormat) -> None:
    with written(log_format, out):
        try:
            int("two\nlines \x1b[2J \x9b")
        except ValueError as error:
            error.add_note("\x9b\nmore")
            logging.getLogger("uvicorn.error").exception("It has\nfailed \x1b[2J")
    assert out.getvalue().count("\n") == 1
    assert "Traceback" in out.getvalue()
    assert not {"\x1b", "\x9b"} & set(out.getvalue())


async def test_as_text_it_is_keys_and_values(client: httpx2.AsyncClient, out: io.StringIO) -> None:
    with written(LogFormat.TEXT, out):
        await client.put("/things/a")
    stamp, text = out.getvalue().split(" ", 1)
    assert stamp.startswith("timestamp=20")
    assert text.startswith(
        "level=info logger=vmwright.requests event=request method=PUT route=/Things/{name} path=/things/a "
        "api_version= status=200 seconds=0."
    )
