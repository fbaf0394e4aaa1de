"""The network of a container: pasta, which gives one network namespace the host's way out.

Outgoing connections only: no port of the host is forwarded in, and the host's loopback services are not
reachable from inside (``--no-map-gw``). The guest has the host's own address, by which it can then reach only
itself. Names are resolved by the host's own servers, wherever they listen,
through one address that pasta answers itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.errors import MachineError
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.guests.linux import LinuxGuest
    from vmwright.process import Running
    from vmwright.state.resources import Ledger

PROGRAM = "pasta"
NAME_SERVER = "169.254.1.1"
READY_SECONDS = 15.0
POLL_SECONDS = 0.02
NOISE = "Failed to send "  # of each line also to a syslog that need not be there

# $1: the lines of resolv.conf, $2: the server. systemd-resolved, where it is or will be installed, is told at
# run time. A link into /run is the image's own way to have a file that is made anew at each boot. Anything
# else is replaced for this boot, the original kept in /run (in memory) for LEAVE_RESOLVER to put back.
SET_RESOLVER = r"""
set -e
umask 022
setting=/run/systemd/resolved.conf.d/vmwright.conf
resolved=no
if systemctl --quiet is-active systemd-resolved.service; then resolved=yes; fi
if [ ! -e "$setting" ]; then
    mkdir -p "${setting%/*}" /run/vmwright
    printf '[Resolve]\nDNS=%s\n' "$2" > "$setting"
    if [ $resolved = yes ]; then systemctl restart systemd-resolved.service; fi
fi
file=/etc/resolv.conf
if [ -L "$file" ]; then
    target=$(readlink -m "$file")
    case $resolved$target in
    yes/run/systemd/resolve/*) exit 0 ;;
    no/run/* | yes/run/*) mkdir -p "${target%/*}"; rm -f "$target"; printf '%s\n' "$1" > "$target"; exit 0 ;;
    esac
fi
if [ -e "$file" ] || [ -L "$file" ]; then cp -a "$file" /run/vmwright/resolv.conf.image; fi
rm -f "$file"
printf '%s\n' "$1" > "$file"
cp "$file" /run/vmwright/resolv.conf.ours
"""

LEAVE_RESOLVER = r"""
set -e
cd /run/vmwright 2>/dev/null && [ -e resolv.conf.ours ] || exit 0
if [ "$(cat /etc/resolv.conf 2>/dev/null)" = "$(cat resolv.conf.ours)" ]; then
    rm -f /etc/resolv.conf
    if [ -e resolv.conf.image ] || [ -L resolv.conf.image ]; then cp -a resolv.conf.image /etc/resolv.conf; fi
fi
rm -f resolv.conf.ours resolv.conf.image
"""


def pasta_arguments(leader: int) -> list[str]:
    """Return pasta's command line for the namespaces of the container's init (``leader``)."""
    return [
        PROGRAM,
        "--foreground",
        *("--runas", "0"),  # it would drop to nobody, who may not enter the namespaces
        *("--netns", f"/proc/{leader}/ns/net", "--userns", f"/proc/{leader}/ns/user"),
        "--config-net",
        "--no-map-gw",
        *("--dns-forward", NAME_SERVER),
        *("--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"),
    ]


@contextlib.asynccontextmanager
async def connected(leader: int, *, log: Path, ledger: Ledger) -> AsyncIterator[None]:
    """Give the container's present life a network while the block runs.

    :raises MachineError: pasta does not start; its own words are in the message.
    """
    token = uuid.uuid4().hex
    claim = ledger.claim(ResourceKind.PROCESS, token)
    running: Running | None = None
    try:
        running = await process.start(pasta_arguments(leader), log=log, env=process.marked(token))
        await _wait_for_route(leader, running)
        yield
    finally:
        if running:
            await running.end(grace=0)  # as the init of a process namespace it heeds no SIGTERM
        ledger.release(claim)


async def set_resolver(guest: LinuxGuest) -> None:
    """Let the guest resolve names through pasta until it stops; nothing of it is left on the disk."""
    search = (line for line in _host_resolver() if line.split()[:1] in (["search"], ["options"]))
    lines = "\n".join([f"nameserver {NAME_SERVER}", *search])
    ended = await guest.ask("sh", "-c", SET_RESOLVER, "sh", lines, NAME_SERVER, as_root=True, check=False)
    if ended.exit_code != 0:
        said = ended.stderr.decode(errors="replace").strip()
        raise MachineError(f"The guest's /etc/resolv.conf cannot be set: {said}")


async def leave_resolver(guest: LinuxGuest) -> None:
    """Put the image's own resolv.conf back where it was replaced, unless a step has changed it."""
    ended = await guest.ask("sh", "-c", LEAVE_RESOLVER, as_root=True, check=False)
    if ended.exit_code != 0:
        said = ended.stderr.decode(errors="replace").strip() or "the guest is gone"
        raise MachineError(f"The image's own /etc/resolv.conf cannot be put back: {said}")


def _host_resolver() -> list[str]:
    try:
        return Path("/etc/resolv.conf").read_text(errors="replace").splitlines()
    except OSError:
        return []


async def _wait_for_route(leader: int, running: Running) -> None:
    """Wait for a default route, the last thing that pasta sets; the kernel gives no event for it."""
    table = Path(f"/proc/{leader}/net/route")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            while running.returncode is None and table.exists():
                if any(line.split()[1:2] == ["00000000"] for line in table.read_text().splitlines()):
                    return
                await asyncio.sleep(POLL_SECONDS)
    said = "\n".join(line for line in running.last_lines(40).splitlines() if not line.startswith(NOISE))
    raise MachineError(
        f"{PROGRAM}, the container's network, does not start:\n{said}",
        hint="a host without any route to a network is what it refuses",
    )
