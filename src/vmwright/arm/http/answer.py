"""What a provider answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer; ``body`` is a JSON value, None for an empty body, or bytes: whole, or a stream of them.

    The headers of every answer of ARM are added to it (``http/app.py``).
    """

    status: int = 200
    body: object | bytes | AsyncIterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def ok(body: object) -> Answer:
    """Return 200 with a body."""
    return Answer(body=body)


def listed(values: list[object]) -> Answer:
    """Return a collection, whole: ``{"value": [...]}``."""
    return Answer(body={"value": values})
