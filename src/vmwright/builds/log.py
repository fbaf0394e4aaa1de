"""customization.log and validation.log: the build's events in the service's own format (reference §7).

Each line begins ``[<build id>] PACKER OUT`` (what Packer prints) or ``PACKER ERR`` with a date (its debug
log). People grep for the ``(telemetry)`` markers, so those are kept to the letter.
"""

from __future__ import annotations

from functools import singledispatchmethod
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.events import (
    BuildEnded,
    BuildStarted,
    Distributed,
    Event,
    Level,
    Notice,
    Outcome,
    Output,
    Phase,
    PhaseStarted,
    StepCached,
    StepEnded,
    StepStarted,
    Stream,
)

if TYPE_CHECKING:
    from typing import TextIO

FILE_NAME = "customization.log"
VALIDATION = "validation.log"
PROVISIONERS = {
    "Shell": "shell",
    "PowerShell": "powershell",
    "File": "file",
    "WindowsRestart": "windows-restart",
    "WindowsUpdate": "windows-update",
}
PHASES = {
    Phase.SOURCE: "Getting source image ...",
    Phase.FETCH: "Downloading external files ...",
    Phase.MACHINE: "Starting the build machine ...",
    Phase.GENERALIZE: "Deprovisioning ...",
    Phase.VALIDATE: "Validating the image ...",
    Phase.DISTRIBUTE: "Distributing ...",
    Phase.FINISH: "Deleting individual resources ...",
}


class CustomizationLog:
    """A reader of the event stream that writes ``customization.log`` as the build goes.

    What validations say is in a ``validation.log`` beside it, as in the service (reference §7). ``failed_in``
    is the one with the step that failed.
    """

    def __init__(self, folder: Path, build_id: str) -> None:
        self.path = folder / FILE_NAME
        self.failed_in = self.path
        self._id = build_id
        self._file = _opened(self.path)

    def __call__(self, event: Event) -> None:
        """Write what the service would write of an event."""
        self._write(event)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _go_on_in(self, path: Path) -> None:
        if self._file.name != str(path):
            self._file.close()
            self._file = _opened(path)

    def _out(self, text: str) -> None:
        self._file.write(f"[{self._id}] PACKER OUT {text}\n")

    def _say(self, text: str) -> None:
        for line in text.splitlines():
            self._out(f"==> azure-arm: {line}")

    def _err(self, event: Event, text: str) -> None:
        self._file.write(f"[{self._id}] PACKER ERR {event.at:%Y/%m/%d %H:%M:%S} [INFO] {text}\n")

    @singledispatchmethod
    def _write(self, event: Event) -> None:
        """Events that the service's log has no line for (progress, the ends of phases) are left out."""

    @_write.register
    def _(self, event: BuildStarted) -> None:
        if event.correlation_id:
            self._say(f"Build {event.build}, correlation id {event.correlation_id}")

    @_write.register
    def _(self, event: PhaseStarted) -> None:
        if event.phase in PHASES:
            self._say(PHASES[event.phase])
        self._go_on_in(self.path.with_name(VALIDATION) if event.phase is Phase.VALIDATE else self.path)

    @_write.register
    def _(self, event: Notice) -> None:
        self._say(f"Warning: {event.message}" if event.level is Level.WARNING else event.message)

    @_write.register
    def _(self, event: StepStarted) -> None:
        self._err(event, f"(telemetry) Starting provisioner {PROVISIONERS[event.kind]}")
        self._say(f"Step {event.number} of {event.total}: {event.name} ({event.kind})")

    @_write.register
    def _(self, event: StepCached) -> None:
        step = (
            f"Step {event.number} of {event.total}: {event.name} ({event.kind})" if event.kind else event.name
        )
        self._say(f"{step} from the cache, made {event.made_at:%Y-%m-%d %H:%M} UTC by build {event.build}")

    @_write.register
    def _(self, event: Output) -> None:
        heading = "==> azure-arm: " if event.stream is Stream.STDERR else "    azure-arm: "
        self._out(f"{heading}{event.line}")

    @_write.register
    def _(self, event: StepEnded) -> None:
        ended = "without exit status" if event.exit_code is None else f"with: {event.exit_code}"
        self._err(event, f"RPC client: Communicator ended {ended}")
        self._err(event, f"(telemetry) ending {PROVISIONERS[event.kind]}")
        if event.outcome is Outcome.FAILED:
            self.failed_in = Path(self._file.name)
            self._say("Provisioning step had errors: Running the cleanup provisioner, if present...")

    @_write.register
    def _(self, event: Distributed) -> None:
        done = event.outcome is Outcome.SUCCEEDED
        self._say(f"Distributed {event.run_output} ({event.kind}): {event.artifact if done else event.error}")

    @_write.register
    def _(self, event: BuildEnded) -> None:
        if event.outcome is not Outcome.SUCCEEDED:
            reason, *more = event.message.splitlines() or [event.outcome]
            how = "was cancelled" if event.outcome is Outcome.CANCELED else "errored"
            self._out(f"Build 'azure-arm' {how} after {_duration(event.seconds)}: {reason}")
            self._out("")
            self._out("==> Some builds didn't complete successfully and had errors:")
            for line in [reason, *more]:
                self._out(f"--> azure-arm: {line}")
        self._err(event, "(telemetry) Finalizing.")
        self._out("==> Builds finished but no artifacts were created.")


def _opened(path: Path) -> TextIO:
    return path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} minutes {rest} seconds" if minutes else f"{rest} seconds"
