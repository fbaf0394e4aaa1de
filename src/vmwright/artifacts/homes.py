"""Whose artifacts are in a home.

What a database does not know is its garbage, so that one home's databases (a PostgreSQL after a SQLite) would
throw away each other's files. ``artifacts/sha256`` belongs to the first of them, which the file ``owner`` in
the home names; any other one has ``artifacts/<its id>/sha256``.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import TYPE_CHECKING

from vmwright.artifacts.files import flush_now
from vmwright.errors import StoreError
from vmwright.state.engines import FILE_NAME, HOME_HINT

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.state.database import Database

ARTIFACTS = "artifacts"
FILES = "sha256"
OWNER = "owner"


def folder_of(home: Path, database: Database) -> Path:
    """Return where a database has its artifacts in a home, which becomes its own where it is nobody's.

    :raises StoreError: the home cannot be read or written.
    """
    first, own = home / ARTIFACTS / FILES, home / ARTIFACTS / database.id / FILES
    try:
        return first if not own.exists() and _is_owner(home, database) else own
    except OSError as error:
        raise StoreError(
            f"Whose the files in {home} are cannot be told: {error}", target=str(home / OWNER), hint=HOME_HINT
        ) from error


def folders_of_others(home: Path, database: Database) -> list[Path]:
    """Return where other databases have artifacts in a home.

    :raises StoreError: the home cannot be read or written.
    """
    own = folder_of(home, database)
    there = (home / ARTIFACTS / FILES, *sorted((home / ARTIFACTS).glob(f"*/{FILES}")))
    return [folder for folder in there if folder != own and folder.is_dir()]


def _is_owner(home: Path, database: Database) -> bool:
    file = home / OWNER
    if not file.exists():
        # from before homes were marked
        if database.is_shared and (home / FILE_NAME).exists() and (home / ARTIFACTS / FILES).exists():
            return False
        _mark(file, database)
    return file.read_text() == database.id


def _mark(file: Path, database: Database) -> None:
    """Write whose a home is, as a whole, unless somebody has done so meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.write_text(database.id)
        flush_now(part)
        with contextlib.suppress(FileExistsError):
            os.link(part, file)
        flush_now(file.parent)
    finally:
        part.unlink(missing_ok=True)
