"""Names of marketplace images: ``publisher:offer:sku:version``, compared without regard to case."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vmwright.errors import SourceError

LATEST = "latest"
PARTS = 3
VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Urn:
    """A marketplace image; ``version`` is a number, ``latest``, or "" where none was given."""

    publisher: str
    offer: str
    sku: str
    version: str = ""

    @property
    def family(self) -> str:
        """The name without its version."""
        return f"{self.publisher}:{self.offer}:{self.sku}"

    @property
    def is_latest(self) -> bool:
        """Whether the newest version is meant; Azure's documents also write ``Latest``."""
        return self.version.lower() == LATEST

    @property
    def to_add(self) -> str:
        """The name under which a disk is added for this one: with its version, where that is an exact one."""
        return self.family if self.is_latest else str(self)

    def is_same_family(self, other: Urn) -> bool:
        """Whether both are versions of one image."""
        return self.family.lower() == other.family.lower()

    def __str__(self) -> str:
        return f"{self.family}:{self.version}" if self.version else self.family


def looks_like_urn(text: str) -> bool:
    """Return whether a text can only be a URN, not a path or URL."""
    return "/" not in text and text.count(":") in {PARTS - 1, PARTS}


def parse(text: str) -> Urn:
    """Read ``publisher:offer:sku`` or ``publisher:offer:sku:version``.

    :raises SourceError: it is neither.
    """
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in {PARTS, PARTS + 1} or not all(parts):
        raise SourceError(
            f"{text!r} does not name an image",
            target=text,
            hint="names look like Canonical:UbuntuServer:18.04-LTS or Debian:debian-12:12:latest",
        )
    urn = Urn(*parts)
    if urn.version and not urn.is_latest and not VERSION.fullmatch(urn.version):
        raise SourceError(
            f"{urn.version!r} is not a version",
            target=text,
            hint="versions are numbers with points, as 18.04.202401161, or latest",
        )
    return urn


def by_number(version: str) -> tuple[tuple[int, str], ...]:
    """Return what orders versions: 1.10.0 is newer than 1.9.0, with numbers of any length."""
    return tuple((len(part), part) for part in re.findall(r"0*([0-9]+)", version))
