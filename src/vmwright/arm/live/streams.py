"""A log as it grows: its bytes as they are, or events one by one (Server-Sent Events)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.arm.live.watches import Watch, Watches

# As long as nothing happens, followers of events hear that often that somebody is there: proxies and clients
# give up connections on which nothing comes.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": nothing new\n\n"
RETRY = b"retry: 2000\n\n"
FIRST_SECONDS = 10.0


async def pieces(watch: Watch, name: str, *, after: int, follow: bool) -> AsyncIterator[bytes]:
    """Give a log piece by piece, from behind its first bytes; b"" now and then where nothing comes.

    A reader that is slow is waited for: of what it has not taken, nothing is kept but one piece.

    :param follow: go on until the build has ended, and all of it was given.
    :raises VmwrightError: what knows of the log cannot be asked now.
    """
    look = await watch.news(None, seconds=FIRST_SECONDS)
    if look is None and not follow:
        raise VmwrightError("The build's log cannot be looked for: the database or the store does not answer")
    while True:
        until = look.sizes.get(name, 0) if look else 0
        while piece := await watch.read(name, after=after, until=until):
            after += len(piece)
            yield piece
        if not follow or (look and look.is_over):
            return
        newer = await watch.news(look, seconds=HEARTBEAT_SECONDS)
        look = newer or look
        if newer is None:
            yield b""


async def log(
    watches: Watches, build_id: str, name: str, *, after: int, follow: bool
) -> AsyncIterator[bytes]:
    """Give a log of a build as the body of an answer."""
    async with watches.of(build_id) as watch:
        async for piece in pieces(watch, name, after=after, follow=follow):
            if piece:
                yield piece


async def events(watches: Watches, build_id: str, name: str, *, after: int) -> AsyncIterator[bytes]:
    """Give the events of a build as the body of an answer, until it has ended.

    The id of an event is the number of bytes of the log up to its end, so that a client that comes again
    (``Last-Event-ID``) is given what is behind it.
    """
    at, rest = max(after - 1, 0), b""
    # from the end of the line before
    is_within = after > 0
    yield RETRY
    async with watches.of(build_id) as watch:
        async for piece in pieces(watch, name, after=at, follow=True):
            *lines, rest = (rest + piece).split(b"\n")
            told = []
            for line in lines:
                at += len(line) + 1
                if not is_within and (message := _message(line, at)):
                    told.append(message)
                is_within = False
            if told or not piece:
                yield b"".join(told) or HEARTBEAT


def _message(line: bytes, at: int) -> bytes:
    """Return a line as an event; b"" for one that a host which died has left half."""
    try:
        kind = json.loads(line)["type"]
    except (ValueError, TypeError, KeyError):
        return b""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (at, str(kind).encode(), line)
