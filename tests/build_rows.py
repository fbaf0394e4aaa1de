"""Rows of builds, for tests of what refers to builds."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from vmwright.state.tables import BuildRow


def build_row(build_id: str = "", /, **columns: Any) -> BuildRow:
    """Return the row of a build that runs, with other columns where they are given."""
    of_a_running_build: dict[str, Any] = {
        "id": build_id or str(uuid.uuid4()),
        "name": "test",
        "template": {},
        "request": {},
        "run_state": "Running",
        "folder": "/nowhere",
        "message": "",
        "queued": False,
        "priority": 0,
        "architecture": "x86_64",
        "cpus": 1,
        "memory_mib": 1024,
        "attempt": 1,
        "started_at": datetime.now(UTC),
    }
    return BuildRow(**{**of_a_running_build, **columns})
