"""Around the application: each request is counted, timed, and one line of the service's log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from vmwright.arm.rules import API_VERSION

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from vmwright.arm.observing.metrics import RequestMetrics

LONGEST_PATH = 2048
LONGEST_CLIENT = 256
METHODS = frozenset({"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS"})
# What fits no route, and what is no method of HTTP's, is one: clients choose the names.
NO_ROUTE, OTHER_METHOD = "none", "other"
# What the log has of a request.
FIELDS = (
    *("method", "route", "path", "api_version", "status", "seconds", "principal", "client"),
    *("correlation_id", "request_id", "broken_off"),
)
log = logging.getLogger("vmwright.requests")


class Observed:
    """An ASGI application that tells of each request once it has been answered.

    What is told has no body or token, of the query the api-version alone, and of the headers what the client
    calls itself: only what the operator may see of everybody.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answered = _Answered()

        async def sent(message: Message) -> None:
            answered.see(message)
            await send(message)

        begun = time.perf_counter()
        self._metrics.begun()
        try:
            await self._app(scope, receive, sent)
        except asyncio.CancelledError:
            # the server ends, and with it this task: what is under way is broken off, and its log says so
            pass
        finally:
            self._tell(scope, answered, time.perf_counter() - begun)

    def _tell(self, scope: Scope, answered: _Answered, seconds: float) -> None:
        route = scope["route"].pattern if "route" in scope else NO_ROUTE
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        self._metrics.ended(method=method, route=route, status=answered.status, seconds=seconds)
        told: dict[str, Any] = {
            "method": method,
            "route": route,
            # as it was sent, its control characters escaped
            "path": scope["raw_path"].decode("ascii", "backslashreplace")[:LONGEST_PATH],
            "api_version": _api_version(scope),
            "status": answered.status,
            "seconds": round(seconds, 4),
            "principal": scope["user"].id if "user" in scope else "",
            "client": _client(scope),
            "correlation_id": answered.headers.get(b"x-ms-correlation-request-id", b"").decode(),
            "request_id": answered.headers.get(b"x-ms-request-id", b"").decode(),
        }
        if not answered.is_whole:
            told["broken_off"] = True
        log.info("request", extra=told)


def _api_version(scope: Scope) -> str:
    """Return what can be one, "" else."""
    query = parse_qsl(scope["query_string"].decode("latin-1"))
    given = next((value for name, value in query if name.lower() == "api-version"), "")
    return given if API_VERSION.fullmatch(given) else ""


def _client(scope: Scope) -> str:
    given = dict(scope["headers"]).get(b"user-agent", b"")
    return str(given[:LONGEST_CLIENT].decode("ascii", "backslashreplace"))


class _Answered:
    """What has been sent of an answer."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.is_whole = False

    def see(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        elif message["type"] == "http.response.body":
            self.is_whole = not message.get("more_body", False)
