"""What a trigger has seen of its template's source: kept in its body, where no answer shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from vmwright.sources.urn import by_number

if TYPE_CHECKING:
    from collections.abc import Mapping

WATCH = "watch"
# What is found out about a source: it is no part of what the source is.
FOUND_OUT = "exactVersion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What a trigger follows, and how far it has come.

    :param source: the template's source when it was looked at; another one is followed from its beginning.
    :param seen: the newest version for which there is nothing to do any more; "" before the first look.
    :param noticed: a newer one, for which a build is to be started, and ``noticed_at`` when that was found.
    :param is_told: whether it was said that the trigger is deactivated.
    """

    source: Mapping[str, Any] | None = None
    seen: str = ""
    noticed: str = ""
    noticed_at: datetime | None = None
    is_told: bool = False

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Return what the body of a trigger says."""
        kept = body.get(WATCH, {})
        at = kept.get("noticedAt")
        return cls(
            source=kept.get("source"),
            seen=kept.get("seen", ""),
            noticed=kept.get("noticed", ""),
            noticed_at=datetime.fromisoformat(at) if at else None,
            is_told=kept.get("isTold", False),
        )

    def as_body(self) -> dict[str, Any]:
        """Return it as the body of a trigger has it."""
        return {
            "source": self.source,
            "seen": self.seen,
            "noticed": self.noticed,
            "noticedAt": self.noticed_at.isoformat() if self.noticed_at else None,
            "isTold": self.is_told,
        }

    def follows(self, source: Mapping[str, Any]) -> bool:
        """Whether it has seen this source before."""
        return self.source == source and self.seen != ""

    def is_new(self, version: str) -> bool:
        """Whether a version is newer than what was seen: where the newest is withdrawn, nothing is new."""
        return _number(version) > _number(self.seen)


def followed(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a template says of its source, without what was found out about it."""
    return {name: value for name, value in source.items() if name != FOUND_OUT}


def _number(version: str) -> tuple[tuple[int, str], ...]:
    """Return what versions are ordered by; those of galleries are the last part of an id."""
    return by_number(version.rpartition("/")[2])
