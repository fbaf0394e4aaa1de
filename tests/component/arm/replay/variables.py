"""What is another one in each service and at each time: generated ids and names, times, addresses."""

from __future__ import annotations

import json
import re
from typing import Any

GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What is generated, the longest first -> what stands for it where two texts are compared.
GENERATED = (
    (r"(?<=operationresults/)[^/?]+", "operation"),
    (rf"IT_[\w.()-]{{1,40}}_{GUID}", "staging-group"),  # reference §14; the recorder changed the names in it
    (rf"{GUID}-[A-Z0-9_.]+(?=\"|$)", "unique-name"),  # of galleries: their name is the recorder's (§20)
    (rf"https://[^/\"]+(?:/[a-z0-9]{{24}})?/vhds/{GUID}\.vhd", "blob"),
    (r"(?<=/storageAccounts/)[a-z0-9]{24}", "account"),
    (GUID, "guid"),
    # by the time of the build, 0.<seconds >> 16>.<seconds & 0xffff>, or by what is there (§11.2)
    (r"(?<=/versions/)\d+\.\d+\.\d+|(?<![\w.])0\.\d{5}\.\d{1,5}(?![\w.])", "version"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "time"),
    (r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", "sha256"),
)
PATTERN = re.compile(
    "|".join(f"(?P<{name.replace('-', '_')}>{pattern})" for pattern, name in GENERATED), re.IGNORECASE
)


def plain(text: str) -> str:
    """Return a text with names in the places of what is generated."""
    return PATTERN.sub(lambda found: f"<{found.lastgroup}>", text)


class Substitutes:
    """What this service has in the places of what was recorded: learnt from answers, used in requests."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}

    def set(self, recorded: str, ours: str) -> None:
        """Say what there is in the place of something; what was said first counts."""
        self._ours.setdefault(recorded.lower(), ours)

    def learn(self, recorded: Any, ours: Any) -> None:
        """Learn from two answers to the same question; where they differ in shape, nothing is learnt."""
        match recorded, ours:
            case str(), str():
                self._learn(recorded, ours)
            case dict(), dict():
                for name in recorded.keys() & ours.keys():
                    self.learn(recorded[name], ours[name])
            case list(), list():
                for one, other in zip(recorded, ours, strict=False):
                    self.learn(one, other)
            case _:
                pass

    def text(self, text: str) -> str:
        """Return a recorded text for this service."""
        return PATTERN.sub(lambda found: self._ours.get(found[0].lower(), found[0]), text)

    def body(self, body: Any) -> Any:
        """Return a recorded body for this service."""
        return json.loads(self.text(json.dumps(body)))

    def _learn(self, recorded: str, ours: str) -> None:
        theirs, mine = list(PATTERN.finditer(recorded)), list(PATTERN.finditer(ours))
        if [found.lastgroup for found in theirs] != [found.lastgroup for found in mine]:
            return
        for one, other in zip(theirs, mine, strict=True):
            if one[0] != other[0] and one.lastgroup != "time":
                self.set(one[0], other[0])
