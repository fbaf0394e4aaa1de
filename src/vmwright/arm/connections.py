"""Connections that hold nothing for ever: each has so long to say what it wants, and to take its answer.

The server's own limit is for connections that are idle between two requests. A body's time is the
application's to measure (``http/app.py``); the size of a request's head is h11's, which other parsers have no
bound for.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

HEAD_SECONDS = 30.0
TAKE_SECONDS = 60.0
# Each takes about 300 KiB, most of it for TLS.
MOST_CONNECTIONS = 2048
# Of the files that the process may open, what is left to databases, builds and logs.
OTHER_FILES = 512
MOST_FILES = MOST_CONNECTIONS + OTHER_FILES


def raise_file_limit() -> None:
    """Let this process open as many files as its connections need, as far as the host lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """Return how many connections there may be: half of the files that may be open, where those are few."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, max(soft - OTHER_FILES, soft // 2)))


class Connection(H11Protocol):
    """A connection of the service; one too many is ended at once."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._waiting = _Limit()
        self._sending = _Limit()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.abort()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End all waiting."""
        self._waiting.end()
        self._sending.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; a part of its head does not begin the wait anew."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, and for what is left of this one."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what it was sent."""
        super().pause_writing()
        self._sending.begin(self.loop, TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        self._sending.end()
        super().resume_writing()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._waiting.end()
        elif not self.transport.is_closing():
            self._waiting.begin(self.loop, HEAD_SECONDS, self.transport.abort)


class _Limit:
    """A time that something may take, from when it began."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop, seconds: float, over: Callable[[], None]) -> None:
        if self._timer is None:
            self._timer = loop.call_later(seconds, over)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
