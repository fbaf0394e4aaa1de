"""The language in which the contracts of the api-versions are written down; ``shapes`` holds them.

A contract is data only: reading walks it, and JSON schemas or documentation can be made from it. One set of
shapes serves every api-version: each field and kind says since when and until when it exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

API_VERSIONS = (
    "2018-02-01-preview",
    "2019-02-01-preview",
    "2019-05-01-preview",
    "2020-02-14",
    "2021-10-01",
    "2022-02-14",
    "2022-07-01",
    "2023-07-01",
    "2024-02-01",
    "2025-10-01",
)
FIRST = API_VERSIONS[0]
COMPLETE = ("2019-05-01-preview", "2020-02-14")
NEWEST_COMPLETE = COMPLETE[-1]
STRICT_SINCE = "2024-02-01"
INT32_MAX = 2**31 - 1
NAME_PATTERN = r"[A-Za-z0-9_.-]{1,64}"


def reaches(version: str, since: str) -> bool:
    """Tell whether ``version`` is ``since`` or a later one; both are of API_VERSIONS."""
    return API_VERSIONS.index(version) >= API_VERSIONS.index(since)


class Kind(Enum):
    """What a field holds."""

    TEXT = auto()
    INTEGER = auto()
    BOOLEAN = auto()
    TEXTS = auto()
    INTEGERS = auto()
    TAGS = auto()
    """An object of texts."""
    OBJECT = auto()
    """One object of the first of ``shapes``."""
    CHOICE = auto()
    """One object; its ``type`` names which of ``shapes``."""
    CHOICES = auto()
    """A list of such objects."""
    IDENTITIES = auto()
    """An object whose keys are the resource ids of identities."""
    OPAQUE = auto()
    """Anything: not looked into."""


class Format(Enum):
    """What a text is."""

    PLAIN = auto()
    NAME = auto()
    URI = auto()
    SHA256 = auto()
    DURATION = auto()
    REGION = auto()
    IMAGE_ID = auto()
    IMAGE_VERSION_ID = auto()
    DEFINITION_ID = auto()
    SUBNET_ID = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an object.

    ``documented`` is the first edition of Azure's template reference that has it ("" where only the REST
    contract does), ``built`` whether this version of vmwright does something with it.
    """

    name: str
    kind: Kind = Kind.TEXT
    format: Format = Format.PLAIN
    required: bool = False
    required_until: str | None = None
    allowed: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    shapes: tuple[str, ...] = ()
    since: str = FIRST
    until: str | None = None
    spellings: tuple[str, ...] = ()
    read_only: bool = False
    built: bool = True
    documented: str = ""

    def exists_in(self, version: str) -> bool:
        """Tell whether the api-version has this field."""
        return reaches(version, self.since) and not (self.until and reaches(version, self.until))

    def required_in(self, version: str) -> bool:
        """Tell whether the api-version asks for this field."""
        return self.required and not (self.required_until and reaches(version, self.required_until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One object: its ``name`` is the value of ``type`` where objects are told apart by it."""

    name: str
    fields: tuple[Field, ...]
    since: str = FIRST
    until: str | None = None
    documented: str = ""

    def exists_in(self, version: str) -> bool:
        """Tell whether the api-version has this object."""
        return reaches(version, self.since) and not (self.until and reaches(version, self.until))

    def field(self, name: str) -> Field | None:
        """Return the field with exactly this name."""
        return next((field for field in self.fields if field.name == name), None)
