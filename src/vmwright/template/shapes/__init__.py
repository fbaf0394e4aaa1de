"""The contracts: every object of a template in every api-version, as data (reference §3 and §4).

One set of shapes serves all ten: each field and kind says since when and until when it exists.

    fields      what several objects share          customizers    customizers and validators
    resource    the template, its properties        distributors   distributors and what they hold
    sources     the kinds of sources                settings       everything else in the properties
    regions     the regions of Image Builder
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template.contract import NEWEST, Shape
from vmwright.template.shapes.customizers import CUSTOMIZERS, VALIDATORS
from vmwright.template.shapes.distributors import DISTRIBUTORS, TARGET_REGION, VERSIONING
from vmwright.template.shapes.regions import REGIONS_2020, REGIONS_LATER, regions_of
from vmwright.template.shapes.resource import ENVELOPE, IDENTITY, PROPERTIES
from vmwright.template.shapes.settings import SETTINGS
from vmwright.template.shapes.sources import PLAN_INFO, SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENVELOPE", "REGIONS_2020", "REGIONS_LATER", "SHAPES", "regions_of", "type_name"]

SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        shape.name: shape
        for shape in (
            ENVELOPE,
            IDENTITY,
            PROPERTIES,
            *SETTINGS,
            PLAN_INFO,
            *SOURCES,
            *CUSTOMIZERS,
            *VALIDATORS,
            *DISTRIBUTORS,
            TARGET_REGION,
            VERSIONING,
        )
    }
)


def type_name(shape: Shape, version: str = NEWEST) -> str:
    """Return what ``type`` says for a shape in an api-version."""
    return shape.type_in(version)
