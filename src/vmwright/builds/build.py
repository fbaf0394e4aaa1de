"""One build: what it works with, how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from vmwright.builds.interrupts import Interrupts
    from vmwright.distributors.distributor import RunOutput
    from vmwright.errors import VmwrightError
    from vmwright.events import Events, Outcome
    from vmwright.images import Images
    from vmwright.runs.queue import Claim
    from vmwright.runs.records import BuildRecords
    from vmwright.runs.request import BuildRequest
    from vmwright.settings import Settings
    from vmwright.state.database import Database
    from vmwright.state.resources import Ledger
    from vmwright.template.model import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """An attempt at a build under way: its request, what it works with, the doors it goes through.

    :param root: the folder of the build, with its logs.
    :param folder: the one in it that is this attempt's alone.
    :param started_at: when the build was asked for.
    """

    claim: Claim
    request: BuildRequest
    settings: Settings
    database: Database
    images: Images
    ledger: Ledger
    records: BuildRecords
    events: Events
    interrupts: Interrupts
    root: Path
    folder: Path
    started_at: datetime

    @property
    def id(self) -> str:
        """The build's id, a UUID."""
        return self.claim.build_id

    @property
    def template(self) -> Template:
        """The template that is built."""
        return self.request.template

    @property
    def is_source_validated_only(self) -> bool:
        """Whether the build is one of checks of its source, and makes nothing."""
        validate = self.template.validate
        return validate is not None and validate.source_validation_only


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """How a build ended."""

    id: str
    outcome: Outcome
    log: Path
    seconds: float
    outputs: tuple[RunOutput, ...] = ()
    error: VmwrightError | None = None
