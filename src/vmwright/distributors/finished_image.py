"""What distributors are given: the generalized disk of a build and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts.facts import ImageFacts
    from vmwright.template.model import PlanInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedImage:
    """A generalized disk that is to be distributed.

    :param disk: the top of its qcow2 chain.
    :param source: what it was built from, as the service writes it into the tag VMImageBuilderSource.
    :param source_version: the exact version of that, "" where it has none.
    :param plan: its marketplace plan, which goes with every version made of it.
    """

    disk: Path
    build_id: str
    facts: ImageFacts
    source: str
    source_version: str = ""
    plan: PlanInfo | None = None
