"""The File customizer: one file, uploaded as the unprivileged build user (reference §8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.customizers.customizer import Fetch, StepResult
from vmwright.events import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest
    from vmwright.template.model import File

LARGE_MB = 20
BYTES_PER_MB = 1000 * 1000


async def fetch_file(step: File, number: int, *, fetch: Fetch, folder: Path) -> Path:
    """Download the step's file.

    :raises DownloadError: the file cannot be had, or its checksum differs.
    """
    destination = folder / f"{number}.customizer.fp"
    what = f"file of step {number} '{step.name}'"
    return await fetch(step.source_uri, destination, sha256=step.sha256_checksum, what=what)


async def run(step: File, file: Path, guest: LinuxGuest, events: Events) -> StepResult:
    """Upload a file to the step's destination.

    :raises MachineError: the guest cannot be reached or refuses the file, in the guest's own words.
    """
    size_mb = file.stat().st_size / BYTES_PER_MB
    if size_mb > LARGE_MB:
        events.warn(
            f"{step.destination} has {size_mb:.0f} MB: Azure advises the File customizer only below "
            f"{LARGE_MB} MB; there, a Shell step that downloads it is faster"
        )

    def progress(done: int, total: int) -> None:
        events.say(Progress(what=step.destination, done=done, total=total))

    await guest.put(file, step.destination, mode=0o644, progress=progress)
    return StepResult(exit_code=0)
