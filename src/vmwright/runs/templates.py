"""The templates that were built, as people see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from vmwright.state.tables import BuildRow, TemplateRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vmwright.state.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRecord:
    """A template by its name, as it was built last.

    :param document: the template without its secrets.
    :param last_run: the id of its newest build, ``last_state`` Azure's run state of it.
    """

    id: str
    name: str
    api_version: str
    document: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    last_run: str | None
    last_state: str | None

    def as_document(self) -> dict[str, object]:
        """Return the template as JSON; its times are of its first and its newest build."""
        return {
            "id": self.id,
            "name": self.name,
            "apiVersion": self.api_version,
            "createdAt": self.created_at.isoformat(),
            "updatedAt": self.updated_at.isoformat(),
            "lastRun": {"id": self.last_run, "runState": self.last_state} if self.last_run else None,
            "template": dict(self.document),
        }


def templates(database: Database) -> list[TemplateRecord]:
    """Return the templates that were built, the one that was built last first."""
    nth = func.row_number().over(partition_by=BuildRow.key, order_by=BuildRow.started_at.desc())
    ranked = select(BuildRow.key, BuildRow.id, BuildRow.run_state, nth.label("nth")).subquery()
    asked = (
        select(TemplateRow, ranked.c.id, ranked.c.run_state)
        .outerjoin(ranked, (ranked.c.key == TemplateRow.key) & (ranked.c.nth == 1))
        .order_by(TemplateRow.updated_at.desc())
    )
    with database.session() as session:
        return [_record(row, last, state) for row, last, state in session.execute(asked).tuples()]


def _record(row: TemplateRow, last: str | None, state: str | None) -> TemplateRecord:
    return TemplateRecord(
        id=row.key,
        name=row.name,
        api_version=row.api_version,
        document=row.document,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_run=last,
        last_state=state,
    )
