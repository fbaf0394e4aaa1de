"""A network namespace of a machine's own: the room between a guest and the host's network.

passt runs in it, so that what the guest connects to is first looked for in here: vmwright itself can answer
at addresses that belong to nobody else, such as those of Azure's platform. pasta connects it to the host.
A user namespace around it gives the rights that this takes, to root and to plain users alike.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.errors import MachineError, ProcessError
from vmwright.marks import marked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from vmwright.process import Running

HOLDER = ("sleep", "infinity")
LISTENER = Path(__file__).with_name("listen_inside.py")
PROGRAMS = ("unshare", "nsenter", "ip", "pasta")
TUN = Path("/dev/net/tun")
STEP_SECONDS = 20.0
LISTENING = "0A"  # a socket's state in /proc/net/tcp
NOWHERE = "0" * 32
# every address is the namespace's own and nothing listens there: refused at once (passt of 2023 does not tell
# its guest, which waits; names, without any server, fail at once there too)
REFUSE_ALL = (("-4", "0.0.0.0/0"), ("-6", "::/0"))
# where clouds tell their machines, of which this host may be one, who they are, and give them tokens
CLOUDS = (
    *(
        "169.254.169.254",
        "168.63.129.16",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "192.0.0.192",
    ),
    *("fd00:ec2::254", "fd20:ce::254"),
)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace that lives as long as the process ``pid``, and the user namespace that owns it."""

    pid: int

    @property
    def enter(self) -> tuple[str, ...]:
        """The start of a command line whose program is to run in here, as its root."""
        return ("nsenter", "--target", str(self.pid), "--user", "--net", "--preserve-credentials")

    async def listen(self, address: str, port: int) -> socket.socket:
        """Return a TCP socket that listens in here at an IPv4 address, which the namespace is given for it.

        The socket serves any process, whichever namespace it is in: `asyncio.start_server(sock=...)`.

        :raises MachineError: the address cannot be added, or the port is in use.
        """
        await self._run("ip", "address", "replace", f"{address}/32", "dev", "lo")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            number = str(theirs.fileno())
            python = (sys.executable, "-I", "-S", str(LISTENER))
            await self._run(*python, number, address, str(port), pass_fds=(theirs.fileno(),))
            _, (descriptor, *_), _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=descriptor)

    async def refuse(self, addresses: Iterable[str]) -> None:
        """Let nothing out to these addresses: they are the namespace's own, its listeners' if anybody's."""
        routes: dict[bool, str] = {False: "", True: ""}
        for address in addresses:
            routes[":" in address] += f"route add local {address} dev lo\n"
        await self._run("ip", "-4", "-batch", "-", stdin=routes[False].encode())
        with contextlib.suppress(ProcessError):  # no IPv6 here
            await self._run("ip", "-6", "-batch", "-", stdin=routes[True].encode())

    async def cut_off(self) -> None:
        """Close every way out: from now on all but the namespace's own listeners refuse."""
        for line in self._table("dev", 2):
            if (interface := line[0].partition(":")[0]) != "lo":
                await self._run("ip", "link", "set", interface, "down")
        for family, everything in REFUSE_ALL:
            with contextlib.suppress(ProcessError):  # no IPv6 here: nothing gets out either, only later
                await self._run("ip", family, "route", "add", "local", everything, "dev", "lo")

    def way_out(self) -> str | None:
        """Return the interface of the default route, None where there is none (yet)."""
        for line in self._table("route", 1):
            if line[1] == "00000000" and line[7] == "00000000":
                return line[0]
        return None

    def is_connected(self, interface: str) -> bool:
        """Whether an interface has a route of IPv4, which it has with its address."""
        return any(line[0] == interface for line in self._table("route", 1))

    def has_ipv6(self) -> bool:
        """Whether there is a default route of IPv6."""
        return any(
            line[0] == NOWHERE and line[1] == "00" and line[9] != "lo"
            for line in self._table("ipv6_route", 0)
        )

    def listens(self, port: int) -> bool:
        """Whether a process listens at this TCP port."""
        sockets = [*self._table("tcp", 1), *self._table("tcp6", 1)]
        return any(line[3] == LISTENING and line[1].endswith(f":{port:04X}") for line in sockets)

    def _table(self, name: str, headings: int) -> list[list[str]]:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{self.pid}/net/{name}").read_text().splitlines()
            return [line.split() for line in lines[headings:]]
        return []

    async def _run(self, *command: str, stdin: bytes = b"", pass_fds: tuple[int, ...] = ()) -> None:
        await process.run([*self.enter, *command], timeout=STEP_SECONDS, stdin=stdin, pass_fds=pass_fds)


async def obstacle() -> str | None:
    """Return why this host cannot give a machine a namespace of its own, or None where it can."""
    for program in PROGRAMS:
        if process.which(program) is None:
            return f"{program} is not installed"
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"{TUN} cannot be opened"
    try:
        await process.run(["unshare", "--user", "--map-root-user", "--net", "true"], timeout=STEP_SECONDS)
    except ProcessError as error:
        return f"no network namespace can be made: {error.message.splitlines()[-1].strip()}"
    return None


@contextlib.asynccontextmanager
async def own_namespace(*, log: Path, token: str) -> AsyncIterator[Namespace]:
    """Make a namespace with nothing but a loopback interface, for as long as the block runs.

    :param token: of the claim in the ledger; the process that holds the namespace carries it.
    """
    holder = await process.start(
        ["unshare", "--user", "--map-root-user", "--net", *HOLDER], log=log, env=marked(token)
    )
    try:
        await _entered(holder)
        namespace = Namespace(holder.pid)
        await process.run([*namespace.enter, "ip", "link", "set", "lo", "up"], timeout=STEP_SECONDS)
        yield namespace
    finally:
        await holder.end()


async def _entered(holder: Running) -> None:
    """Wait until the holder has its namespaces: before that, its namespaces are the host's."""
    program = process.which(HOLDER[0]) or HOLDER[0]
    if not await holder.is_ready(functools.partial(_runs, holder.pid, program)):
        raise MachineError(
            f"No network namespace can be made for the machine:\n{holder.last_lines()}",
            hint="vmwright doctor tells whether network namespaces work here",
        )


def _runs(pid: int, program: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/exe").samefile(program)
    return False
