"""What every source becomes: a disk of the content-addressed store, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - this and the next are read at run time: builds keep base disks as JSON
from typing import TYPE_CHECKING

from vmwright.artifacts.facts import ImageFacts  # noqa: TC001
from vmwright.disks.qemu_img import DiskFormat
from vmwright.template.model import PlanInfo  # noqa: TC001

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseDisk:
    """The disk that a build begins with: read-only, without a backing file.

    :param exact_version: what ``latest`` led to; "" where a kind of source has no versions.
    :param description: the source for people.
    :param builder_source: the tag VMImageBuilderSource of what is distributed (reference §11.1).
    :param plan: the marketplace plan of the source, which goes with what is made of it.
    """

    path: Path
    digest: str
    facts: ImageFacts
    exact_version: str
    description: str
    builder_source: str
    made_at: datetime
    format: DiskFormat = DiskFormat.QCOW2
    plan: PlanInfo | None = None

    @property
    def age(self) -> timedelta:
        """How long ago the disk came into the store."""
        return datetime.now(UTC) - self.made_at

    @property
    def record(self) -> str:
        """What a build's row must say of its source: the digest in it keeps the artifact from removal."""
        return f"{self.description} (sha256:{self.digest})"
