"""The files that the builds of the service's templates leave on hosts: VHDs without a `uri`, and logs.

They go with their template (reference §6.5). What is given up is struck out of the builds' records and
written into the ledger as nobody's, in one transaction: a host that is away, or a process that dies in the
middle, leaves nothing behind for good, because whoever clears up on the host removes it then.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sqlalchemy import delete, select

from vmwright.state.host import host_id
from vmwright.state.resources import leave, left_on_this_host
from vmwright.state.tables import BuildRow, LogRow, RunOutputRow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from vmwright.settings import Settings
    from vmwright.state.database import Database
    from vmwright.state.resources import Resource

VHD = "VHD"
VHDS = ("artifacts", "vhds")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that a build has left: ``path`` is on the host that ``is_here`` tells of."""

    build_id: str
    path: Path
    is_here: bool


def vhds_folder(settings: Settings, build_id: str) -> Path:
    """Return where the VHDs of a build are that say no place of their own."""
    return settings.home.joinpath(*VHDS, build_id)


def logs_folder(settings: Settings, build_id: str) -> Path:
    """Return where the logs of a build are."""
    return settings.home / "builds" / build_id


def find_vhd(database: Database, template_id: str, name: str, *, since: datetime) -> KeptFile | None:
    """Return the newest VHD of a file name that a template's builds have made; None where there is none.

    :param since: when the template was made: builds of an earlier one of its id do not count.
    """
    asked = (
        select(RunOutputRow)
        .join(BuildRow, BuildRow.id == RunOutputRow.build_id)
        .where(BuildRow.key == template_id.lower(), BuildRow.started_at >= since)
        .where(RunOutputRow.kind == VHD, RunOutputRow.artifact_uri.is_not(None))
        .order_by(BuildRow.started_at.desc())
    )
    with database.session() as session:
        for output in session.scalars(asked):
            path, build_id = _path(output), output.build_id
            if path is not None and path.name == name:
                return KeptFile(build_id=build_id, path=path, is_here=_host(session, build_id) == host_id())
    return None


def find_log(
    database: Database, template_id: str, build_id: str, name: str, *, since: datetime
) -> KeptFile | None:
    """Return a log of a template's build; None where there is none. ``since`` as in ``find_vhd``."""
    asked = (
        select(LogRow.path, LogRow.host)
        .join(BuildRow, BuildRow.id == LogRow.build_id)
        .where(BuildRow.key == template_id.lower(), BuildRow.started_at >= since)
        .where(LogRow.build_id == build_id, LogRow.name == name)
    )
    with database.session() as session:
        row = session.execute(asked).one_or_none()
    if row is None:
        return None
    return KeptFile(build_id=build_id, path=Path(row.path), is_here=row.host == host_id())


def shared_logs(database: Database, template_id: str) -> list[str]:
    """Return the keys of the logs that the shared store has of a template's builds."""
    asked = select(LogRow.key).where(LogRow.build_id.in_(_ended(template_id)), LogRow.key.is_not(None))
    with database.session() as session:
        return [key for key in session.scalars(asked) if key is not None]


def give_up(database: Database, template_id: str) -> None:
    """Give up the files of all builds of a template that have ended; those of others stay.

    The records of builds have no logs and no VHDs any more then; images and versions are left alone.
    """
    with database.session() as session:
        for build_id in session.scalars(_ended(template_id)).all():
            host = _host(session, build_id)
            logs = session.scalars(select(LogRow).where(LogRow.build_id == build_id)).all()
            for log in logs:
                leave(session, Path(log.path), host=log.host, build_id=build_id)
                session.delete(log)
            vhds = (RunOutputRow.build_id == build_id, RunOutputRow.kind == VHD)
            folders = {
                path.parent
                for output in session.scalars(select(RunOutputRow).where(*vhds))
                if (path := _path(output))
            }
            for folder in folders:
                # what somebody has had put elsewhere is theirs
                if folder.parts[-3:] == (*VHDS, build_id):
                    leave(session, folder, host=host, build_id=build_id)
            session.execute(delete(RunOutputRow).where(*vhds))


def given_up(database: Database, template_id: str) -> list[Resource]:
    """Return what is given up of a template's builds and still on this host."""
    with database.session() as session:
        builds = set(session.scalars(_ended(template_id)))
    return [one for one in left_on_this_host(database) if one.build_id in builds]


def _ended(template_id: str) -> Select[str]:
    return select(BuildRow.id).where(BuildRow.key == template_id.lower(), BuildRow.ended_at.is_not(None))


def _host(session: Session, build_id: str) -> str:
    """Return the host of a build's last attempt: where its logs are."""
    return session.scalars(select(LogRow.host).where(LogRow.build_id == build_id)).first() or host_id()


def _path(output: RunOutputRow) -> Path | None:
    return Path(unquote(urlsplit(output.artifact_uri).path)) if output.artifact_uri else None
