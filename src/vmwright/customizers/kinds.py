"""The kinds of customizers that this version runs: a new one is one module and one case in each function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.customizers import file, shell
from vmwright.errors import UnsupportedError
from vmwright.template.model import Customizer, File, Shell

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.customizers.customizer import Fetch, StepResult
    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest


@dataclass(frozen=True, slots=True)
class ReadyStep:
    """A step with what it needs from outside: ``number`` counts from 1, ``file`` is its script or file."""

    number: int
    step: Shell | File
    file: Path


async def fetch_step(step: Customizer, number: int, *, fetch: Fetch, folder: Path) -> ReadyStep:
    """Get what a step needs into ``folder`` before any machine starts, as the service does (reference §6.1).

    :raises DownloadError: it cannot be had, or its checksum differs.
    :raises UnsupportedError: this version does not run steps of that kind.
    """
    match step := runnable(step):
        case Shell():
            return ReadyStep(number, step, await shell.fetch_script(step, number, fetch=fetch, folder=folder))
        case File():
            return ReadyStep(number, step, await file.fetch_file(step, number, fetch=fetch, folder=folder))


def runnable(step: Customizer) -> Shell | File:
    """Return a step of a kind that this version runs.

    :raises UnsupportedError: it is of another kind.
    """
    if isinstance(step, Shell | File):
        return step
    raise UnsupportedError(f"{step.kind} customizers are not built yet", target=step.path)


async def run_step(ready: ReadyStep, guest: LinuxGuest, events: Events) -> StepResult:
    """Run a step in the guest.

    :raises MachineError: the guest cannot be reached or refuses a file.
    """
    match ready.step:
        case Shell():
            return await shell.run(ready.file, guest, events)
        case File():
            return await file.run(ready.step, ready.file, guest, events)
