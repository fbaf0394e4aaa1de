"""Serving the platform's addresses to one guest: from open sockets, inside the running event loop.

What a guest sends is not trusted: the size of requests, their number at a time and idle time are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterable, Iterator

    from starlette.applications import Starlette
    from starlette.requests import Request

MOST_CONNECTIONS = 64
MOST_HEADER_BYTES = 16 << 10
MOST_BODY_BYTES = 1 << 20
IDLE_SECONDS = 15
STOP_SECONDS = 1


class _BoundedProtocol(H11Protocol):
    """Drops connections beyond those that a guest can need: each costs this process a descriptor."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):  # which every stream's is
            super().connection_made(transport)
            if len(self.connections) > MOST_CONNECTIONS:
                transport.abort()


class _Server(uvicorn.Server):
    """A server that leaves the signals of this process to its owner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(apps: Iterable[tuple[socket.socket, Starlette]]) -> AsyncIterator[None]:
    """Serve each app at its listening socket, closed at the end, for as long as the context lasts."""
    servers = [(_Server(_configuration(app)), listening) for listening, app in apps]
    serving = [asyncio.create_task(server.serve([listening])) for server, listening in servers]
    try:
        yield
    finally:
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*serving)


def _configuration(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_BoundedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        # what uvicorn says of a guest's broken requests would be lines on the user's terminal
        log_level=logging.CRITICAL,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
    )


async def read_body(request: Request) -> bytes | None:
    """Return a request's body, None where it is larger than any that an agent sends."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            return None
    return bytes(body)
