"""An engine as a process of its own: ``KEY [EARLIER KEY]``; see ``run``.

The configuration is in variables, as for the commands.
"""

from __future__ import annotations

import asyncio
import sys
import uuid

from vmwright import settings
from vmwright.durable import Engine, Journal
from vmwright.errors import LostBuildError
from vmwright.state.engines import journal_url

STEPS = ("one", "two", "three")


async def run(key: str, *earlier: str) -> None:
    """Run a workflow whose steps say their name, and end when they are told to."""
    loop = asyncio.get_running_loop()

    async def work() -> int:
        heard: asyncio.Future[str] = loop.run_in_executor(None, sys.stdin.readline)
        return len(await heard)

    async def body(journal: Journal) -> None:
        for name in STEPS:

            async def step(name: str = name) -> int:
                print(name, flush=True)
                return await work()

            await journal.step(name, int, step)

    engine = await Engine.launch(journal_url(settings.load()), executor=str(uuid.uuid4()))
    print("ready", flush=True)
    try:
        await engine.run(key, body, after=earlier)
        print("done", flush=True)
    except LostBuildError:
        print("lost", flush=True)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
