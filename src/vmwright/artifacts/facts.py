"""What is known of the disk inside an artifact, wherever it is listed: as a source, an image, a version."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from vmwright.state.tables import FactColumns


class Provisioning(StrEnum):
    """From what a guest's first boot is configured: Azure's platform, or a NoCloud seed for cloud-init."""

    AZURE = "Azure"
    NOCLOUD = "NoCloud"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """A disk's guest; ``size_bytes`` is the disk that the guest sees, ``os_name`` is for people."""

    os_type: OsType
    os_name: str
    generation: Generation
    size_bytes: int
    provisioning: Provisioning = Provisioning.NOCLOUD


class FactValues(TypedDict):
    """The values of a row's FactColumns."""

    os_type: str
    os_name: str
    generation: str
    size_bytes: int
    provisioning: str


def facts_of(row: FactColumns) -> ImageFacts:
    """Return what a row says of its disk."""
    return ImageFacts(
        os_type=OsType(row.os_type),
        os_name=row.os_name,
        generation=Generation(row.generation),
        size_bytes=row.size_bytes,
        provisioning=Provisioning(row.provisioning),
    )


def columns_of(facts: ImageFacts) -> FactValues:
    """Return the facts as the values of a row's columns."""
    return FactValues(
        os_type=facts.os_type,
        os_name=facts.os_name,
        generation=facts.generation,
        size_bytes=facts.size_bytes,
        provisioning=facts.provisioning,
    )
