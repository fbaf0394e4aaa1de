"""How commands and files reach a guest: the protocol that each transport speaks."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vmwright.events import Stream

if TYPE_CHECKING:
    from pathlib import Path

OutputSink = Callable[[Stream, bytes], None]
ProgressSink = Callable[[int, int], None]
READ_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command in the guest ended: its exit code, or None where the connection was lost first."""

    exit_code: int | None
    stdout: bytes = b""
    stderr: bytes = b""


class Transport(Protocol):
    """One connection to one guest, as the build user or as root."""

    async def execute(
        self,
        command: str,
        *,
        as_root: bool = False,
        stdin: bytes | Path = b"",
        sink: OutputSink | None = None,
        timeout: float | None = None,
    ) -> Ended:
        """Run one command line of the guest's shell.

        :param stdin: what it is given to read: bytes, or what a file of the host holds.
        :param sink: given the output as it comes; ``Ended`` then holds none.
        :param timeout: seconds; None for as long as it takes.
        :raises MachineError: the guest cannot be reached, or the time is over.
        """

    async def put(
        self, source: Path, destination: str, *, mode: int, progress: ProgressSink | None = None
    ) -> None:
        """Write a file of the host to ``destination`` as the build user.

        :raises MachineError: the guest refused the file (its own words), or cannot be reached.
        """

    async def read(self, path: str) -> bytes | None:
        """Return what a file of the guest holds, read as root; None where there is none.

        :raises MachineError: the guest cannot be reached.
        """

    async def close(self) -> None:
        """End the connection."""


async def read_by_cat(transport: Transport, path: str) -> bytes | None:
    """Read a file with the guest's own ``cat``."""
    ended = await transport.execute(f"cat {shlex.quote(path)}", as_root=True, timeout=READ_SECONDS)
    return ended.stdout if ended.exit_code == 0 else None
