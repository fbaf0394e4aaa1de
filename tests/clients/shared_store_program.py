"""Puts or fetches one file, as a process of its own: ``HOME STORE put|stall|fetch PATH [DIGEST]``.

``STORE`` is the store's configuration as JSON. ``stall`` says so at its fourth chunk, and goes on no more.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from vmwright.artifacts import SharedStore
from vmwright.artifacts.object_store import ObjectStore
from vmwright.settings import Settings, StoreSettings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger


class Stalling(ObjectStore):
    """A store whose fourth chunk never comes to an end."""

    async def put(self, key: str, data: bytes) -> None:
        if key.endswith("/000003"):
            print("stalled", flush=True)
            await asyncio.Event().wait()
        await super().put(key, data)


async def main() -> None:
    home, configured, what, path, *digest = sys.argv[1:]
    settings = StoreSettings.model_validate(json.loads(configured))
    database = open_database(Settings(home=Path(home)))
    kind = Stalling if what == "stall" else ObjectStore
    store = SharedStore(kind(str(settings.url), settings), database)
    if what == "fetch":
        await store.fetch(digest[0], Path(path), ledger=Ledger(database))
    else:
        print(await store.put(Path(path)), flush=True)
    database.close()


if __name__ == "__main__":
    asyncio.run(main())
