"""events.jsonl: the build's events, one JSON document a line, for whoever follows it from elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from vmwright.events import Progress, as_json

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.events import Event

FILE_NAME = "events.jsonl"
# Transfers tell of each piece; of one of them as much is kept.
BETWEEN_PROGRESS = timedelta(seconds=1)


class EventFile:
    """A reader of the event stream that writes ``events.jsonl`` as the build goes."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / FILE_NAME).open("a", buffering=1, encoding="utf-8", errors="backslashreplace")
        self._progress: dict[str, Progress] = {}

    def __call__(self, event: Event) -> None:
        """Write an event."""
        if isinstance(event, Progress):
            if self._is_soon(event):
                return
            self._progress[event.what] = event
        self._file.write(f"{as_json(event)}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _is_soon(self, event: Progress) -> bool:
        """Whether the same transfer has been told of just now; its end is always told."""
        before = self._progress.get(event.what)
        return before is not None and event.at - before.at < BETWEEN_PROGRESS and event.done != event.total
