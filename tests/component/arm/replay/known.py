"""The differences that are known, each with its reason: ``differences.toml``."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tests.component.arm.replay.comparing import Difference
from tests.component.arm.replay.exchanges import Exchange

FILE = Path(__file__).with_name("differences.toml")
STRICT = ConfigDict(frozen=True, extra="forbid")


class Known(BaseModel):
    """A difference that may be there; what it does not say may be anything, ``*`` stands for any text.

    :param on: requests as ``Exchange.kind`` calls them; ``versions`` are their api-versions.
    :param where: as ``Difference.where``; ``recorded`` and ``ours`` likewise.
    :param in_open: whether the recordings that everybody has show it: it must then be found there.
    """

    model_config = STRICT

    on: tuple[str, ...]
    where: str
    recorded: str = "*"
    ours: str = "*"
    versions: tuple[str, ...] = ()
    reason: str
    in_open: bool = True

    def is_this(self, exchange: Exchange, difference: Difference) -> bool:
        """Whether it is the difference that an exchange shows."""
        return (
            exchange.kind.lower() in {kind.lower() for kind in self.on}
            and (not self.versions or exchange.api_version in self.versions)
            and _fits(difference.where, self.where)
            and _fits(difference.recorded, self.recorded)
            and _fits(difference.ours, self.ours)
        )


class _File(BaseModel):
    model_config = STRICT

    difference: tuple[Known, ...]


def load() -> tuple[Known, ...]:
    """Read the file."""
    return _File.model_validate(tomllib.loads(FILE.read_text())).difference


def _fits(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern.replace("[", "[[]"))
