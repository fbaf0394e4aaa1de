"""Processes that own things and are then killed or stopped: each runs a piece of Python beside the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

SECONDS = 60.0
# {body} is asynchronous code that has `folder`, `database`, `events`, `keeper` and `ledger`.
PROGRAM = """
import asyncio, json, os, sys
from pathlib import Path
from vmwright import marks, process
from vmwright.workers.keeping import Keeper
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger, ResourceKind

def say(**what):
    print(json.dumps(what), flush=True)

async def main(folder):
    database = open_database(Settings(home=folder / "home"))
    events = Events(lambda event: print(event, file=sys.stderr, flush=True))
    async with Keeper.started(events, log=folder / "keeper.log") as keeper:
        ledger = Ledger(database, observer=keeper)
{body}

asyncio.run(main(Path(sys.argv[1])))
"""


class Owner:
    """A process that owns things."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        """Its process id, which is its process group, too."""
        return self.process.pid

    async def says(self) -> dict[str, Any]:
        """Return what it says next."""
        assert self.process.stdout
        async with asyncio.timeout(SECONDS):
            line = await self.process.stdout.readline()
        assert line, "the owner ended"
        said: dict[str, Any] = json.loads(line)
        return said


@contextlib.asynccontextmanager
async def owner(
    body: str, folder: Path, *, inside: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> AsyncIterator[Owner]:
    """Run an owner in a process group of its own while the block runs, and kill it at its end.

    :param inside: the start of a command line, of a program that becomes the owner.
    """
    program = PROGRAM.replace("{body}", textwrap.indent(textwrap.dedent(body), "        "))
    process = await asyncio.create_subprocess_exec(
        *(*inside, sys.executable, "-c", program, str(folder)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "VMWRIGHT_HOME": str(folder / "home"), **(environment or {})},
        start_new_session=True,
    )
    try:
        yield Owner(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def is_alive(pid: int) -> bool:
    """Whether a process runs, or a thread of it: one that nobody has waited for yet is dead all the same."""
    return any(_runs(thread) for thread in Path(f"/proc/{pid}/task").glob("*/stat"))


def _runs(thread: Path) -> bool:
    try:
        return thread.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def dead(*pids: int) -> None:
    """Wait until processes are dead."""
    async with asyncio.timeout(SECONDS):
        while any(is_alive(pid) for pid in pids):
            await asyncio.sleep(0.01)
