"""Durable execution: the port over dbos, which keeps the journal of builds; nothing else imports that.

``Engine`` runs a workflow, or goes on with one after a crash; a workflow runs its steps by a ``Journal``.
Importing this room takes half a second: it is imported where a build begins.
"""

from __future__ import annotations

from vmwright.durable.engine import Engine
from vmwright.durable.journal import Body, Journal

__all__ = ["Body", "Engine", "Journal"]
