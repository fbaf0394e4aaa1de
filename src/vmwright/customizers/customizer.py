"""What the kinds of customizers share: how files reach them, how a step ends, its output as events."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from vmwright.events import Events, Output, Stream

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.guests.linux import LinuxGuest

LAST_LINES = 15
LONGEST_LINE = 1 << 16


class Fetch(Protocol):
    """The door through which a customizer gets its script or file."""

    async def __call__(self, uri: str, destination: Path, *, sha256: str | None, what: str) -> Path:
        """Return the file at ``uri``, verified, as a file on this host."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended in the guest.

    ``exit_code`` is None where the connection was lost before the script ended, ``valid`` the exit codes
    that its kind counts as success, ``last_lines`` what it printed last.
    """

    exit_code: int | None
    valid: tuple[int, ...] = (0,)
    last_lines: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the script ended, with an exit code that counts as success."""
        return self.exit_code in self.valid


@dataclass(slots=True)
class OutputLines:
    """Turns chunks of a step's output into events, a line each, and keeps the last ones."""

    events: Events
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    _rest: dict[Stream, bytes] = field(default_factory=lambda: dict.fromkeys(Stream, b""))

    def __call__(self, stream: Stream, chunk: bytes) -> None:
        """Take a chunk as the transport delivers it."""
        *lines, self._rest[stream] = (self._rest[stream] + chunk).split(b"\n")
        for line in lines:
            self._say(stream, line)
        if len(self._rest[stream]) > LONGEST_LINE:  # it may never end
            self._say(stream, self._rest[stream])
            self._rest[stream] = b""

    def flush(self) -> None:
        """Say what came without a newline at its end."""
        for stream, rest in self._rest.items():
            if rest:
                self._say(stream, rest)
                self._rest[stream] = b""

    def _say(self, stream: Stream, line: bytes) -> None:
        # A progress bar rewrites its line with carriage returns; only what it showed last is worth keeping.
        text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
        self.last.append(self.events.redact(text))
        self.events.say(Output(line=text, stream=stream))


async def run_streamed(
    command: str, guest: LinuxGuest, events: Events, *, as_root: bool = False, stdin: bytes | Path = b""
) -> StepResult:
    """Run a command line in the guest for as long as it takes; its output becomes events as it comes.

    :param stdin: what it is given to read: bytes, or what a file of the host holds.

    :raises MachineError: the guest cannot be reached.
    """
    lines = OutputLines(events)
    exit_code = await guest.run(command, as_root=as_root, sink=lines, stdin=stdin)
    lines.flush()
    return StepResult(exit_code, last_lines=tuple(lines.last))
