"""The network of a container: pasta, which gives one network namespace the host's way out.

Outgoing connections only: no port of the host is forwarded in, and the host's loopback services are not
reachable from inside (``--no-map-gw``). The guest has the host's own address, by which it can then reach only
itself. Names are resolved by the host's own servers, wherever they listen,
through one address that pasta answers itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.machines.netns import Namespace
from vmwright.machines.passt import LOOPBACK, failure
from vmwright.marks import marked
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from vmwright.machines.passt import Forward
    from vmwright.process import Running
    from vmwright.state.resources import Ledger

PROGRAM = "pasta"
TIED = ("unshare", "--kill-child")
NAME_SERVER = "169.254.1.1"
# for a namespace of ours: a range that no network may use (RFC 7335), so that none is hidden by it
ROOM_ADDRESS, ROOM_GATEWAY, ROOM_PREFIX = "192.0.0.2", "192.0.0.1", "29"


def pasta_arguments(leader: int) -> list[str]:
    """Return pasta's command line for the namespaces of the container's init (``leader``)."""
    return [*_arguments(leader, root=True), "--dns-forward", NAME_SERVER, "--tcp-ports", "none"]


def room_arguments(
    holder: int, forwards: Iterable[Forward], *, root: bool, forwards_names: bool
) -> list[str]:
    """Return pasta's command line for a namespace of ours, in which another program answers at ``forwards``.

    The namespace has addresses of its own, unlike a container: passt, in it, reaches the host's like others.

    :param forwards_names: it answers at ``NAME_SERVER``. pasta of 2023 then spoils the answers of the host's
        name server to those who ask that directly.
    """
    # one option each: of several ports in one, pasta is content with any that it gets
    ports = [f"{LOOPBACK}/{forward.host_port}:{forward.guest_port}" for forward in forwards]
    return [
        *_arguments(holder, root=root),
        *("--address", ROOM_ADDRESS, "--netmask", ROOM_PREFIX, "--gateway", ROOM_GATEWAY),
        *(("--dns-forward", NAME_SERVER) if forwards_names else ()),
        *(argument for port in ports or ["none"] for argument in ("--tcp-ports", port)),
    ]


def _arguments(leader: int, *, root: bool) -> list[str]:
    return [
        PROGRAM,
        "--foreground",
        *(("--runas", "0") if root else ()),  # it would drop to nobody, who may not enter the namespaces
        *("--netns", f"/proc/{leader}/ns/net", "--userns", f"/proc/{leader}/ns/user"),
        "--config-net",
        "--no-map-gw",
        *("--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"),
    ]


@contextlib.asynccontextmanager
async def connected(leader: int, *, log: Path, ledger: Ledger) -> AsyncIterator[Running]:
    """Give the container's present life a network while the block runs, which is given pasta.

    :raises MachineError: pasta does not start; its own words are in the message.
    """
    token = uuid.uuid4().hex
    claim = ledger.claim(ResourceKind.PROCESS, token)
    try:
        async with running_pasta(pasta_arguments(leader), leader, log=log, token=token) as running:
            yield running
    finally:
        ledger.release(claim)


@contextlib.asynccontextmanager
async def running_pasta(
    arguments: Sequence[str], leader: int, *, log: Path, token: str
) -> AsyncIterator[Running]:
    """Run pasta while the block runs, which begins when the namespace of ``leader`` has its default route.

    pasta hides its environment, and with it the token, from a plain user's other programs: it is started by
    one that does not, and dies with that.
    """
    running = await process.start([*TIED, *arguments], log=log, env=marked(token))
    try:
        await _wait_for_route(leader, running)
        yield running
    finally:
        await _end(running)


async def _end(running: Running) -> None:
    """Kill pasta, then wait for its parent: when that has ended, the ports are free again."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)  # as the init of a process namespace it heeds no SIGTERM
            await running.wait()
    await running.end(grace=0)


async def _wait_for_route(leader: int, running: Running) -> None:
    """Wait for a default route, the last thing that pasta sets; the kernel gives no event for it."""
    if not await running.is_ready(Namespace(leader).way_out):
        raise failure(PROGRAM, running)
