"""The marketplace names that vmwright knows: which vendor's image stands for each, or why none does.

They are data: ``marketplace.toml`` beside this file, and the user's in $VMWRIGHT_HOME, which wins over it.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vmwright.errors import SourceError, TemplateError, UnsupportedError
from vmwright.sources import urn
from vmwright.sources.patterns import fill, open_names
from vmwright.template.model import Generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmwright.sources.urn import Urn

FILE_NAME = "marketplace.toml"
OURS = Path(__file__).with_name(FILE_NAME)
STRICT = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorImage:
    """The image of a vendor that stands for a marketplace name.

    :param name: publisher, offer and sku.
    :param os: what it is, for people.
    :param generation: how it must boot.
    :param end_of_life: when its free security updates ended or will end.
    :param builds: finds the vendor's builds in the text at ``index`` (or ``older``).
    :param version, image, checksums: made from the groups of a build (``patterns.fill``).
    :param is_own: from the user's file.
    """

    name: Urn
    os: str
    generation: Generation
    index: str
    older: str | None
    builds: re.Pattern[str]
    version: str
    image: str
    checksums: str
    end_of_life: date
    is_own: bool

    @property
    def site(self) -> str:
        """The host that publishes it; the whole address where that is a file."""
        return self.index.partition("://")[2].partition("/")[0] or self.index


class Missing(BaseModel):
    """Names without an image that vmwright could fetch: what they are, and where one gets a disk."""

    model_config = STRICT

    names: tuple[str, ...]
    what: str
    get: str

    def covers(self, name: Urn) -> bool:
        """Return whether a name is one of these; ``*`` and ``?`` stand for any characters."""
        return any(fnmatchcase(name.family.lower(), pattern.lower()) for pattern in self.names)


@dataclass(frozen=True, slots=True)
class Marketplace:
    """What is known of the marketplace; the user's entries come first."""

    images: tuple[VendorImage, ...]
    missing: tuple[Missing, ...]

    def find(self, name: Urn) -> VendorImage | None:
        """Return the image that stands for a name, whatever its version."""
        return next((image for image in self.images if image.name.is_same_family(name)), None)

    def refuse_missing(self, name: Urn) -> None:
        """Refuse a name that cannot be fetched, where it is known why; to be asked if no disk is here.

        :raises UnsupportedError: with where one gets a disk.
        """
        if self.find(name):
            return
        for missing in self.missing:
            if missing.covers(name):
                raise UnsupportedError(
                    f"{name}: {missing.what}",
                    target="properties.source",
                    hint=f"{missing.get}; then: vmwright sources add {name.to_add} DISK",
                )


class _Layout(BaseModel):
    model_config = STRICT

    index: str
    older: str | None = None
    builds: str
    version: str
    image: str
    checksums: str


class _Image(BaseModel):
    model_config = STRICT

    layout: str
    os: str
    values: dict[str, str] = Field(default_factory=dict)
    v1: tuple[str, ...] = ()
    v2: tuple[str, ...] = ()
    end_of_life: date = date.max

    @field_validator("v1", "v2")
    @classmethod
    def _families(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                versioned = urn.parse(name).version
            except SourceError as error:
                raise ValueError(error.message) from None
            if versioned:
                raise ValueError(f"{name!r} has a version; names here are publisher:offer:sku")
        return names

    @model_validator(mode="after")
    def _has_names(self) -> Self:
        if not (self.v1 or self.v2):
            raise ValueError("v1 or v2 must name it")
        return self


class _File(BaseModel):
    model_config = STRICT

    layout: dict[str, _Layout] = Field(default_factory=dict)
    image: tuple[_Image, ...] = ()
    missing: tuple[Missing, ...] = ()


def load(home: Path) -> Marketplace:
    """Read the names that vmwright knows, and the user's in ``marketplace.toml`` of $VMWRIGHT_HOME.

    :raises TemplateError: the user's file cannot be used; the message names the key.
    """
    ours, known = _ours()
    layouts = dict(ours.layout)
    images: list[VendorImage] = []
    missing: list[Missing] = []
    own = home / FILE_NAME
    if own.exists():
        users = _read(own)
        layouts |= users.layout
        images += _images(users.image, layouts, own)
        missing += users.missing
    return Marketplace((*images, *known), (*missing, *ours.missing))


@functools.cache
def _ours() -> tuple[_File, tuple[VendorImage, ...]]:
    """Read what comes with vmwright: once, for the service asks for it with each template."""
    ours = _read(OURS)
    return ours, tuple(_images(ours.image, ours.layout, OURS))


def _read(file: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(file.read_text()))
    except ValidationError as error:
        wrong = "; ".join(f"{_key(item['loc'])}: {item['msg']}" for item in error.errors())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        wrong = f"it is not TOML: {error}"
    except OSError as error:
        wrong = error.strerror or str(error)
    raise _unusable(file, wrong)


def _unusable(file: Path, wrong: str) -> TemplateError:
    return TemplateError(f"{file} cannot be used: {wrong}", target=str(file), hint="see docs/sources.md")


def _key(location: tuple[int | str, ...]) -> str:
    """Write where a key is as people count: ``image[0].values``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(
        "."
    )


def _images(entries: Iterable[_Image], layouts: dict[str, _Layout], file: Path) -> Iterator[VendorImage]:
    for number, entry in enumerate(entries):
        where = f"image[{number}]"
        layout = layouts.get(entry.layout)
        if layout is None:
            known = ", ".join(sorted(layouts))
            raise _unusable(file, f"{where}.layout: there is no layout {entry.layout!r}, but {known}")
        try:
            builds = re.compile(fill(layout.builds, entry.values))
        except re.error as error:
            raise _unusable(
                file, f"layout.{entry.layout}.builds is not a regular expression: {error}"
            ) from None
        _check_names(entry, layout, builds, where=where, file=file)
        for generation, names in ((Generation.V1, entry.v1), (Generation.V2, entry.v2)):
            for name in names:
                yield VendorImage(
                    name=urn.parse(name),
                    os=entry.os,
                    generation=generation,
                    index=fill(layout.index, entry.values),
                    older=fill(layout.older, entry.values) if layout.older else None,
                    builds=builds,
                    version=fill(layout.version, entry.values),
                    image=fill(layout.image, entry.values),
                    checksums=fill(layout.checksums, entry.values),
                    end_of_life=entry.end_of_life,
                    is_own=file != OURS,
                )


def _check_names(entry: _Image, layout: _Layout, builds: re.Pattern[str], *, where: str, file: Path) -> None:
    """Check that every ``${name}`` will have a value, and one only."""
    if twice := sorted(entry.values.keys() & builds.groupindex.keys()):
        raise _unusable(
            file, f"{where}.values.{twice[0]} is also a group of layout.{entry.layout}.builds: rename one"
        )
    known = {*entry.values, *builds.groupindex}
    allowed = {
        "index": set(entry.values),
        "older": set(entry.values),
        "builds": set(entry.values),
        "version": known,
        "image": known,
        "checksums": known,
    }
    for key, names in allowed.items():
        text = getattr(layout, key) or ""
        if unknown := sorted(open_names(text) - names):
            raise _unusable(
                file,
                f"layout.{entry.layout}.{key} wants ${{{unknown[0]}}}, which {where}.values does not give",
            )
