"""The Debian disk that the benches start from."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from bench.job import URN, Folder, call
from bench.measured import VMWRIGHT
from vmwright.artifacts import ArtifactStore
from vmwright.settings import Settings
from vmwright.state.database import open_database

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def prepared(options: argparse.Namespace) -> Folder:
    """Return the folder that the options name, with what is made beforehand, and nothing of earlier runs."""
    folder = Folder(options.work.resolve())
    folder.prepare(options.source or bootstrapped(folder.root))
    for made in (folder.rows, folder.homes):
        shutil.rmtree(made, ignore_errors=True)
    return folder


def bootstrapped(work: Path) -> Path:
    """Return the Debian disk that vmwright makes of packages, as a file of its own; made only once."""
    kept = work / "debian.qcow2"
    if kept.exists():
        return kept
    home = work / "bootstrap"
    call("env", f"VMWRIGHT_HOME={home}", VMWRIGHT, "sources", "pull", URN)
    (source,) = json.loads(call("env", f"VMWRIGHT_HOME={home}", VMWRIGHT, "sources", "list", "--json"))
    database = open_database(Settings(home=home))
    shutil.copyfile(ArtifactStore(home, database).get(source["sha256"]).path, kept)
    database.close()
    shutil.rmtree(home)
    return kept
