"""Letting a process go on that has a build of this host and has been stopped: it has something to end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.state.host import host_id, lives
from vmwright.state.tables import BuildRow, ExecutorRow

if TYPE_CHECKING:
    from vmwright.state.database import Database

# in /proc/PID/stat
STOPPED = "T"


def wake(database: Database, build_id: str) -> bool:
    """Let the process that has a build go on where it was stopped on this host, as by Ctrl-Z.

    :returns: whether it had been stopped, and goes on.
    """
    asked = select(ExecutorRow).join(BuildRow, BuildRow.executor == ExecutorRow.id)
    with database.session() as session:
        row = session.scalars(asked.where(BuildRow.id == build_id)).one_or_none()
    if row is None or row.host != host_id() or not lives(row.pid, row.started, row.boot_id):
        return False
    try:
        if Path(f"/proc/{row.pid}/stat").read_text().rpartition(")")[2].split()[0] != STOPPED:
            return False
        os.kill(row.pid, signal.SIGCONT)
    except OSError:  # it has ended, or is another user's
        return False
    return True
