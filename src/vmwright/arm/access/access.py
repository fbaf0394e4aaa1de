"""Roles, who has them, and what that allows: of one service, with one memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.arm.access.assignments import Assignments
from vmwright.arm.access.decisions import Decisions
from vmwright.arm.access.definitions import Definitions
from vmwright.arm.access.directory import Directory

if TYPE_CHECKING:
    from vmwright.arm.ids import ResourceId
    from vmwright.state.database import Database


@dataclass(frozen=True, slots=True)
class Access:
    """What providers and gate of a service share; whoever writes roles tells ``decisions``."""

    definitions: Definitions
    assignments: Assignments
    directory: Directory
    decisions: Decisions

    async def remove_all(self, scope: ResourceId) -> None:
        """Remove what is left of a group or resource that is gone, and of all in it.

        That is the roles had there, and the principals of its identities. Doing so again does no harm.
        """
        await asyncio.to_thread(self.directory.forget, scope)
        await asyncio.to_thread(self.assignments.forget, scope)
        self.decisions.changed()


def open_access(database: Database, subscription: str) -> Access:
    """Return the access to the one subscription of a service."""
    definitions = Definitions(database, subscription)
    assignments = Assignments(database, subscription)
    return Access(definitions, assignments, Directory(database), Decisions(assignments, definitions))
