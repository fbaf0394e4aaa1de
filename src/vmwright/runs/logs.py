"""Reading a build's logs, wherever the build runs or ran."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.errors import VmwrightError
from vmwright.images import open_images
from vmwright.state.host import host_id
from vmwright.state.tables import BuildRow, LogRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from vmwright.settings import Settings
    from vmwright.state.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """Where a log is.

    :param path: its file, where that is on this host.
    :param key: of the newest copy in the shared store, where there is one.
    """

    name: str
    path: Path | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Logs:
    """The logs of a build; where it ``is_over``, nothing comes to them any more."""

    is_over: bool
    places: tuple[LogPlace, ...]


def logs_of(database: Database, build_ids: Collection[str]) -> dict[str, Logs]:
    """Return where the logs of some builds are; builds that are not there are left out."""
    with database.session() as session:
        ended = session.execute(
            select(BuildRow.id, BuildRow.ended_at.is_not(None)).where(BuildRow.id.in_(build_ids))
        ).all()
        places = defaultdict(list)
        for row in session.scalars(select(LogRow).where(LogRow.build_id.in_(build_ids))):
            path = Path(row.path) if row.host == host_id() else None
            places[row.build_id].append(LogPlace(name=row.name, path=path, key=row.key))
    return {build_id: Logs(is_over, tuple(places[build_id])) for build_id, is_over in ended}


async def read_log(
    build_id: str, name: str, settings: Settings, database: Database, *, after: int = 0
) -> bytes | None:
    """Return what a log has so far behind its first ``after`` bytes; None where there is no such log.

    It is the file of this host, or the copy that the shared store has: a running build stores one after each
    of its steps.

    :raises VmwrightError: it is on another host, of which there is no copy.
    """
    row = _row(build_id, name, database)
    if row is None:
        return None
    if row.host == host_id():
        return await asyncio.to_thread(_rest, Path(row.path), after)
    if row.key is not None:
        data = await open_images(settings, database).artifacts.get_bytes(row.key)
        if data is not None:
            return data[after:]
        now = _row(build_id, name, database)
        if now is None or now.key == row.key:
            return None
        # an attempt that has taken the build over has just stored a newer copy
        return await read_log(build_id, name, settings, database, after=after)
    raise VmwrightError(
        f"The log is on another host: {row.path}", hint="[store] url in vmwright.toml lets hosts share logs"
    )


def _row(build_id: str, name: str, database: Database) -> LogRow | None:
    with database.session() as session:
        return session.scalars(
            select(LogRow).where(LogRow.build_id == build_id, LogRow.name == name)
        ).one_or_none()


def _rest(path: Path, after: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            file.seek(after)
            return file.read()
    except FileNotFoundError:
        return None
