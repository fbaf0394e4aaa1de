"""Folders for what a request downloads."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import uuid
from typing import TYPE_CHECKING

from vmwright.state.resources import Ledger, ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vmwright.arm.service import Service


@contextlib.asynccontextmanager
async def scratch(service: Service) -> AsyncIterator[Path]:
    """Give a folder that is removed at the end."""
    ledger = Ledger(service.database)
    folder = service.settings.home / "staging" / str(uuid.uuid4())
    claim = await asyncio.to_thread(ledger.claim, ResourceKind.PATH, folder)
    try:
        folder.mkdir(parents=True, mode=0o700)
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        if not folder.exists():
            await asyncio.to_thread(ledger.release, claim)
