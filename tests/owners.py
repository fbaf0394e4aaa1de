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
    from collections.abc import AsyncIterator, Mapping

SECONDS = 60.0
# {body} is asynchronous code that has `folder`, `database`, `events`, `keeper` and `ledger`.
PROGRAM = """
import asyncio, json, os, sys
from pathlib import Path
from vmwright import marks, process
from vmwright.builds.keeping import Keeper
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
    body: str, folder: Path, *, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Owner]:
    """Run an owner in a process group of its own while the block runs, and kill it at its end."""
    program = PROGRAM.replace("{body}", textwrap.indent(textwrap.dedent(body), "        "))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, folder),
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
    """Whether a process runs: one that nobody has waited for yet is dead all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def dead(*pids: int) -> None:
    """Wait until processes are dead."""
    async with asyncio.timeout(SECONDS):
        while any(is_alive(pid) for pid in pids):
            await asyncio.sleep(0.01)
