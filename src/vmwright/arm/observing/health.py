"""Is the service alive, and is it ready? For probes without a token: nothing here tells where anything is."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.arm.observing.asked import Asked
from vmwright.errors import VmwrightError
from vmwright.state.tables import DatabaseRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmwright.settings import Settings
    from vmwright.state.database import Database

    Check = Callable[[], Awaitable[str]]

ANSWER_SECONDS = 2.0
# Below that, not even what a build writes first fits.
LEAST_FREE_BYTES = 1 << 30


class Health:
    """What must be well for a service to be ready; each check returns what is wrong, "" where nothing is."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._home = settings.home
        self._database = database
        self._row = Asked(self._read, seconds=ANSWER_SECONDS)
        self._free = Asked(lambda: shutil.disk_usage(self._home).free, seconds=ANSWER_SECONDS)
        self._checks: dict[str, Check] = {"database": self._check_database, "disk": self._check_disk}

    def also(self, name: str, check: Callable[[], str]) -> None:
        """Have something else checked, too.

        :param check: returns at once what is wrong, "" where nothing is.
        """

        async def checked() -> str:
            return check()

        self._checks[name] = checked

    async def report(self) -> dict[str, str]:
        """Return what is wrong by the names of the checks, "" where nothing is."""
        wrong = await asyncio.gather(*(check() for check in self._checks.values()))
        return dict(zip(self._checks, wrong, strict=True))

    async def _check_database(self) -> str:
        try:
            await self._row.answer()
        except VmwrightError:
            return "it cannot be read, or does not answer in time"
        return ""

    async def _check_disk(self) -> str:
        try:
            free = await self._free.answer()
        except (VmwrightError, OSError):
            return "it does not answer"
        return "" if free >= LEAST_FREE_BYTES else f"less than {LEAST_FREE_BYTES >> 30} GiB is free"

    def _read(self) -> str:
        with self._database.session() as session:
            return session.scalars(select(DatabaseRow.id)).one()
