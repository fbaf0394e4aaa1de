"""The one stream of events: what a build says while it runs.

The live terminal, the plain lines on a pipe, ``--json``, ``customization.log`` and ``events.jsonl`` are
readers of this stream; nothing that they show is said in another way. Events are frozen data with a stable
name (``type`` in JSON) and plain fields. Secrets known to the stream are replaced before a reader sees them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

REDACTED = "******"


class Phase(StrEnum):
    """The phases of a build, in their order."""

    SOURCE = "source"
    FETCH = "fetch"
    MACHINE = "machine"
    CUSTOMIZE = "customize"
    GENERALIZE = "generalize"
    VALIDATE = "validate"
    DISTRIBUTE = "distribute"
    FINISH = "finish"


class Stream(StrEnum):
    """Where a line of a step came from."""

    STDOUT = "stdout"
    STDERR = "stderr"


class Outcome(StrEnum):
    """How a step, distributor or build ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARTIALLY_SUCCEEDED = "partiallySucceeded"
    CANCELED = "canceled"


class Level(StrEnum):
    """How much a notice matters: a warning may need the user's hand, a note only tells."""

    NOTE = "note"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have: when it was said (UTC)."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildQueued(Event):
    """A build waits for a worker."""

    build: str
    template: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStarted(Event):
    """A build begins; ``correlation_id`` is that of the service's request which asked for it."""

    build: str
    template: str
    steps: int
    correlation_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted(Event):
    """A phase begins; ``detail`` says what it works on."""

    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEnded(Event):
    """A phase is over."""

    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    """A step begins: ``number`` of ``total`` (from 1), its name and kind (Shell, File ...)."""

    number: int
    total: int
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Event):
    """A step is over; ``exit_code`` where its kind has one."""

    number: int
    name: str
    kind: str
    outcome: Outcome
    seconds: float
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCached(Event):
    """A step is not run: its layer is in the cache, of a ``build`` that ran it. Generalizing has no kind."""

    number: int
    total: int
    name: str
    kind: str
    build: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    """One line that a step, the deprovisioning or a source's bootstrap printed, without its newline."""

    line: str
    stream: Stream = Stream.STDOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """How far a long piece of work is: ``done`` of ``total`` bytes (``total`` None: not known)."""

    what: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Event):
    """Something the user should see: a decision with its reason, a fall-back, a warning."""

    message: str
    level: Level = Level.NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemFound(Event):
    """A problem of the template: where it is, what is wrong, what to write."""

    severity: str
    code: str
    path: str
    line: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributed(Event):
    """A distributor is done, or has failed with ``error``."""

    run_output: str
    kind: str
    outcome: Outcome
    artifact: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEnded(Event):
    """A build is over."""

    build: str
    outcome: Outcome
    seconds: float
    code: str = ""
    message: str = ""
    hint: str = ""


Reader = Callable[[Event], None]


class Events:
    """A stream of events with its readers, called in the order in which they came."""

    def __init__(self, *readers: Reader) -> None:
        self._readers = list(readers)
        self._secrets: list[str] = []

    def subscribe(self, reader: Reader) -> None:
        """Add a reader; it sees what is said from now on."""
        self._readers.append(reader)

    def keep_secret(self, secret: str) -> None:
        """Replace ``secret`` in everything said from now on, longest secrets first."""
        if secret and secret not in self._secrets:
            self._secrets = sorted([*self._secrets, secret], key=len, reverse=True)

    def redact(self, text: str) -> str:
        """Return ``text`` without the secrets known to this stream."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text

    def say(self, event: Event) -> None:
        """Give an event, freed of secrets, to every reader."""
        if self._secrets:
            event = self._redacted(event)
        for reader in self._readers:
            reader(event)

    def note(self, message: str) -> None:
        """Say something the user should know."""
        self.say(Notice(message=message))

    def warn(self, message: str) -> None:
        """Say something the user may have to act on."""
        self.say(Notice(message=message, level=Level.WARNING))

    def _redacted(self, event: Event) -> Event:
        changed: dict[str, Any] = {
            item.name: self.redact(value)
            for item in dataclasses.fields(event)
            if type(value := getattr(event, item.name)) is str
        }
        return dataclasses.replace(event, **changed)


def as_json(event: Event) -> str:
    """Return an event as one line of JSON: ``type`` is its name, ``at`` in ISO 8601."""
    fields = {"type": type(event).__name__, **dataclasses.asdict(event)}
    return json.dumps(fields, ensure_ascii=False, default=datetime.isoformat)
