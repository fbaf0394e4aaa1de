"""A mount namespace of a disk's own: what is mounted in it goes when the last program in it ends.

A file system on a storage daemon's export must not be mounted where that daemon lives. One that is killed as
the last program of its mount namespace (a worker's own: in a container, or as a service with a sandbox)
unmounts what is there while it ends, and would wait for itself to write to the disk.
"""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.errors import ProcessError
from vmwright.marks import marked
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmwright.process import Running
    from vmwright.state.resources import Ledger

# It sees what this host mounts and unmounts later, and the host sees nothing of it. Without "slave", a disk
# that somebody else has mounted now would be held until this namespace ends.
PROGRAM = "sleep"
HOLDER = ("unshare", "--mount", "--propagation", "slave", "--", PROGRAM, "infinity")


class MountNamespace:
    """A namespace that exists; made by ``held``."""

    def __init__(self, holder: Running) -> None:
        self._holder = holder

    @classmethod
    @contextlib.asynccontextmanager
    async def held(cls, ledger: Ledger, *, log: Path) -> AsyncIterator[MountNamespace]:
        """Hold a new namespace while the block runs; a program keeps it, which the ledger knows.

        At its end all that is mounted in it is unmounted, where no other program is left in it.

        :raises ProcessError: this host makes none.
        """
        token = uuid.uuid4().hex
        claim = ledger.claim(ResourceKind.PROCESS, token)
        try:
            holder = await process.start(HOLDER, log=log, env=marked(token))
            try:
                if not await holder.is_ready(lambda: _holds(holder.pid)):
                    raise ProcessError(f"This host makes no mount namespace: {holder.last_lines()}")
                yield cls(holder)
            finally:
                await holder.end()
        finally:
            ledger.release(claim)

    def enter(self) -> tuple[str, ...]:
        """Return the start of a command line whose program is to run in the namespace."""
        return ("nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--")

    def seen(self, path: Path) -> Path:
        """Return where this process finds what has an absolute ``path`` in the namespace."""
        return Path(f"/proc/{self._holder.pid}/root{path}")


def _holds(pid: int) -> bool:
    """Return whether the holder has come to its last program: only then nothing is shared with the host."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() == PROGRAM
    return False
