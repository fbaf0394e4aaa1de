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
NEWEST = API_VERSIONS[-1]
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
    OBJECTS = auto()
    """A list of such objects."""
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
    IDENTITY_ID = auto()
    RESOURCE_GROUP_ID = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an object.

    ``about`` says in one sentence what it is for, with its unit and default. ``earlier_name`` is its name in
    the api-versions before ``renamed_in``, ``spellings`` are those of documentation and samples.
    ``documented`` is the first edition of Azure's template reference that has it ("" where only the REST
    contract does), ``built`` whether this version of vmwright can do what it asks for, ``instead`` what a
    local build does where Azure's own meaning has no effect here ("" where it has).
    """

    name: str
    about: str
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
    earlier_name: str = ""
    renamed_in: str = ""
    read_only: bool = False
    built: bool = True
    instead: str = ""
    documented: str = ""

    def exists_in(self, version: str) -> bool:
        """Tell whether the api-version has this field."""
        return reaches(version, self.since) and not (self.until and reaches(version, self.until))

    def name_in(self, version: str) -> str:
        """Return the field's name in the api-version."""
        return self.earlier_name if self.renamed_in and not reaches(version, self.renamed_in) else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which the field is read, in lower case."""
        return tuple({name.casefold() for name in (self.name, self.earlier_name, *self.spellings) if name})

    def required_in(self, version: str) -> bool:
        """Tell whether the api-version asks for this field."""
        return self.required and not (self.required_until and reaches(version, self.required_until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One object: its ``name`` is the value of ``type`` where objects are told apart by it.

    ``type_name`` is that value where a source, a customizer and a validator share it, ``early_type_name``
    the one of 2018-02-01-preview. ``about`` says in one sentence what the object is for.
    """

    name: str
    about: str
    fields: tuple[Field, ...]
    since: str = FIRST
    until: str | None = None
    type_name: str = ""
    early_type_name: str = ""
    documented: str = ""

    def type_in(self, version: str) -> str:
        """Return what ``type`` says for this object in the api-version."""
        usual = self.type_name or self.name
        return self.early_type_name or usual if version == FIRST else usual

    def exists_in(self, version: str) -> bool:
        """Tell whether the api-version has this object."""
        return reaches(version, self.since) and not (self.until and reaches(version, self.until))

    def field(self, name: str) -> Field | None:
        """Return the field with exactly this name."""
        return next((field for field in self.fields if field.name == name), None)
