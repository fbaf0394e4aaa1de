"""What a build that was broken off, or did not succeed, can go on from: what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.runs.hints import SHORT
from vmwright.runs.states import RunState
from vmwright.state.host import host_id
from vmwright.state.tables import BuildRow, LayerRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vmwright.runs.queue import Claim
    from vmwright.state.database import Database


def way_on(database: Database, build_id: str) -> str | None:
    """Return which command goes on with a build that has ended, None where nothing of it is kept."""
    with database.session() as session:
        return hint_to_go_on(session, session.get_one(BuildRow, build_id))


def hint_to_go_on(session: Session, row: BuildRow) -> str | None:
    """Return the same within a transaction."""
    newest = newest_layer(session, row.id)
    if newest is None or not row.request or row.run_state == RunState.SUCCEEDED:
        return None
    from vmwright.runs.stored_request import StoredRequest  # noqa: PLC0415 - lists do without what reads it

    steps = len(StoredRequest.model_validate(row.request).body["properties"].get("customize") or ())
    short = row.id[:SHORT]
    where = "" if newest.host == host_id() or newest.digest else ", on the host that has its disk"
    if row.run_state == RunState.PARTIALLY_SUCCEEDED:
        return f"`vmwright distribute {short}` tries again what failed{where}"
    if newest.step < steps:
        return f"`vmwright resume {short}` goes on from step {newest.step + 1}{where}"
    behind = "the finished image" if newest.step > steps else f"step {newest.step}"
    return f"`vmwright resume {short}` goes on behind {behind}{where}"


def kept(database: Database, claim: Claim, *, steps: int) -> str | None:
    """Return what an attempt at a build of so many steps goes on from, for people; None for its first one."""
    if claim.previous_attempt is None or claim.canceling:
        return None
    with database.session() as session:
        newest = newest_layer(session, claim.build_id)
    begins = f"Attempt {claim.attempt} at this build"
    if newest is None:
        return f"{begins}: nothing of its disk is kept, it starts from the source"
    since = f"{newest.committed_at.astimezone():%Y-%m-%d %H:%M}"
    if newest.step > steps:
        return f"{begins}: its finished image of {since} is kept"
    done = "step 1 is" if newest.step == 1 else f"steps 1 to {newest.step} are"
    if newest.step == 0:
        return f"{begins}: its disk of {since} is kept, before its first step"
    return f"{begins}: {done} kept, as of {since}"


def newest_layer(session: Session, build_id: str) -> LayerRow | None:
    """Return the layer that a build goes on from, None where it has none."""
    asked = select(LayerRow).where(LayerRow.build_id == build_id).order_by(LayerRow.number.desc())
    return session.scalar(asked.limit(1))
