"""The name servers of a container's guest: told for as long as it runs, with nothing of it left on the disk.

systemd-resolved, where the image has it, finds them when it starts, and the image's own resolv.conf then
stays what it is. The guest is asked to change anything only where that is not so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.artifacts.foreign_tree import ForeignTree, Stamp
from vmwright.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmwright.guests.linux import LinuxGuest

FILE = "/etc/resolv.conf"
REPLACED = b"replaced"

# $1: the servers. While the guest boots: where systemd-resolved has not started yet, it will find them.
TELL = r"""
setting=/run/systemd/resolved.conf.d/vmwright.conf
mkdir -p "${setting%/*}"
printf '[Resolve]\nDNS=%s\n' "$1" > "$setting"
case $(systemctl is-active systemd-resolved.service 2>/dev/null) in
active | activating | reloading) rm -f "$setting" ;;
esac
"""

# $1: the lines of resolv.conf, $2: the servers. systemd-resolved, where it is or will be installed, is told
# at run time. A link into /run is the image's own way to have a file that is made anew at each boot. Anything
# else is replaced for this boot, the original kept in /run (in memory) for LEAVE to put back.
SET = r"""
set -e
umask 022
setting=/run/systemd/resolved.conf.d/vmwright.conf
resolved=no
if systemctl --quiet is-active systemd-resolved.service; then resolved=yes; fi
mkdir -p /run/vmwright
if [ ! -e "$setting" ]; then
    mkdir -p "${setting%/*}"
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
echo replaced
"""

LEAVE = r"""
set -e
cd /run/vmwright 2>/dev/null && [ -e resolv.conf.ours ] || exit 0
if [ "$(cat /etc/resolv.conf 2>/dev/null)" = "$(cat resolv.conf.ours)" ]; then
    rm -f /etc/resolv.conf
    if [ -e resolv.conf.image ] || [ -L resolv.conf.image ]; then cp -a resolv.conf.image /etc/resolv.conf; fi
fi
rm -f resolv.conf.ours resolv.conf.image
"""


class Resolver:
    """What a guest resolves names by, from ``set`` on."""

    def __init__(self, guest: LinuxGuest) -> None:
        self._guest = guest
        self._tree = ForeignTree.of_process(0)
        self._replaced = False
        self._found: tuple[Stamp | None, ...] = ()

    async def tell(self, servers: Sequence[str]) -> None:
        """Name the servers to a guest that boots; what comes too late does no harm."""
        await self._guest.ask("sh", "-c", TELL, "sh", " ".join(servers), as_root=True, check=False)

    async def set(self, servers: Sequence[str], leader: int) -> None:
        """Let the guest, whose init is ``leader``, resolve names by these servers until it stops.

        :raises MachineError: it cannot be.
        """
        search = (line for line in _host_resolver() if line.split()[:1] in (["search"], ["options"]))
        lines = "\n".join([*(f"nameserver {server}" for server in servers), *search])
        ended = await self._guest.ask(
            "sh", "-c", SET, "sh", lines, " ".join(servers), as_root=True, check=False
        )
        if ended.exit_code != 0:
            said = ended.stderr.decode(errors="replace").strip()
            raise MachineError(f"The guest's {FILE} cannot be set: {said}")
        self._tree = ForeignTree.of_process(leader)
        self._replaced = REPLACED in ended.stdout
        self._found = self._what_is_there()

    async def leave(self) -> None:
        """Put the image's own resolv.conf back where it was replaced, unless a step has changed it.

        :raises MachineError: it cannot be.
        """
        if not self._replaced:
            return
        self._replaced = False
        self._found = ()
        ended = await self._guest.ask("sh", "-c", LEAVE, as_root=True, check=False)
        if ended.exit_code != 0:
            said = ended.stderr.decode(errors="replace").strip() or "the guest is gone"
            raise MachineError(f"The image's own {FILE} cannot be put back: {said}")

    def holds(self) -> bool:
        """Return whether the guest still has what ``set`` left it."""
        return self._found == self._what_is_there()

    def _what_is_there(self) -> tuple[Stamp | None, ...]:
        return self._tree.stamp(FILE, follow=False), self._tree.stamp(FILE)


def _host_resolver() -> list[str]:
    try:
        return Path("/etc/resolv.conf").read_text(errors="replace").splitlines()
    except OSError:
        return []
