"""One build: what is asked for, what it works with, how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.settings import MachineChoice

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from vmwright.builds.interrupts import Interrupts
    from vmwright.builds.queue import Claim
    from vmwright.builds.records import BuildRecords
    from vmwright.distributors.distributor import RunOutput
    from vmwright.errors import VmwrightError
    from vmwright.events import Events, Outcome
    from vmwright.images import Images
    from vmwright.settings import Settings
    from vmwright.state.database import Database
    from vmwright.state.resources import Ledger
    from vmwright.template.model import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What a user asks for.

    :param name: names the template; part of resource ids and of file names.
    :param out: the user's folder for the files, or None to keep them in $VMWRIGHT_HOME.
    :param formats: disk formats to put into ``out`` besides what the template distributes.
    :param makes_galleries: whether a gallery or an image definition that is not there is made; in Azure
        both must exist.
    :param secrets: values of the template that nobody may read in a log, beside those in its addresses.
    """

    template: Template
    name: str
    machine: MachineChoice = MachineChoice.AUTO
    out: Path | None = None
    formats: tuple[str, ...] = ()
    makes_galleries: bool = True
    secrets: tuple[str, ...] = ()

    @property
    def step_count(self) -> int:
        """How many steps the build has: its customizers and its validations are numbered through."""
        return len(self.template.customize) + len(self.template.in_vm_validations)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """How a build ended."""

    id: str
    outcome: Outcome
    log: Path
    seconds: float
    outputs: tuple[RunOutput, ...] = ()
    error: VmwrightError | None = None
