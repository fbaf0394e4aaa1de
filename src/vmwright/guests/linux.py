"""A Linux guest: what vmwright does inside one, whatever transport reaches it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from vmwright.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.guests.transport import Ended, OutputSink, ProgressSink, Transport

SHORT = 60.0

# Asks whether the guest is on its way down, also while a service still delays that (an inhibitor of logind).
ASK_STOPPING = (
    "{ systemctl is-system-running & busctl get-property org.freedesktop.login1 /org/freedesktop/login1"
    " org.freedesktop.login1.Manager PreparingForShutdown & wait; }"
)
STOPPING = {b"stopping", b"b true"}


def says_stopping(answer: bytes) -> bool:
    """Return whether the answer to ``ASK_STOPPING`` means that the guest is going down."""
    return not STOPPING.isdisjoint(answer.split(b"\n"))


class LinuxGuest:
    """A Linux guest behind one transport; ``user`` is the unprivileged build user."""

    def __init__(self, transport: Transport, user: str) -> None:
        self._transport = transport
        self.user = user

    async def run(
        self, command: str, *, sink: OutputSink, as_root: bool = False, stdin: bytes | Path = b""
    ) -> int | None:
        """Run a command line for as long as it takes; return its exit code (None: the guest went away).

        :param stdin: what it is given to read: bytes, or what a file of the host holds.
        """
        ended = await self._transport.execute(command, as_root=as_root, sink=sink, stdin=stdin)
        return ended.exit_code

    async def ask(self, *argv: str, as_root: bool = False, check: bool = True, stdin: bytes = b"") -> Ended:
        """Run a short command (a minute at most) and return how it ended, with its output.

        :param stdin: what it reads: no other process of the guest sees that, unlike ``argv``.
        :raises MachineError: the guest cannot be reached, or (with ``check``) the command failed.
        """
        ended = await self._transport.execute(shlex.join(argv), as_root=as_root, stdin=stdin, timeout=SHORT)
        if check and ended.exit_code != 0:
            said = ended.stderr.decode(errors="replace").strip()
            raise MachineError(f"In the guest, {shlex.join(argv)} ended with {ended.exit_code}: {said}")
        return ended

    async def put(
        self, source: Path, destination: str, *, mode: int = 0o644, progress: ProgressSink | None = None
    ) -> None:
        """Write a file of the host into the guest as the build user."""
        await self._transport.put(source, destination, mode=mode, progress=progress)

    async def read(self, path: str) -> bytes | None:
        """Return what a file of the guest holds, read as root; None where there is none."""
        return await self._transport.read(path)

    async def boot_id(self) -> str:
        """Return what names this boot of the guest."""
        return (await self.ask("cat", "/proc/sys/kernel/random/boot_id")).stdout.decode().strip()
