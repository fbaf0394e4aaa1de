"""What is not Azure's: builds as they run, metrics, health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.contract.operation import Operation
from vmwright.arm.live.runs import RUNS

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = f"{RUNS}/{{run}}"


def described() -> Iterator[Operation]:
    """Give the operations."""
    yield Operation("GET", RUNS, "List the builds, the newest first", {200: "Document[]"}, query=("run",))
    yield Operation("GET", RUN, "Show a build")
    log = ("name", "after", "follow")
    yield Operation("GET", f"{RUN}/log", "Read the log of a build", {200: "Text"}, query=log)
    yield Operation("GET", f"{RUN}/events", "Follow the events of a build", {200: "EventStream", 204: ""})
    yield Operation("GET", "/metrics", "Measure the service, as Prometheus reads it", {200: "Text"})
    yield Operation("GET", "/healthz", "Tell that the service is alive")
    yield Operation("GET", "/readyz", "Tell whether the service is ready", {200: "Document", 503: "Document"})
