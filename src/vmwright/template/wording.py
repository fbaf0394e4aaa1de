"""What is said of templates in many places: the service's own words, verbatim (reference §5.2); hints."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.nearest import nearest
from vmwright.template.contract import API_VERSIONS, Kind
from vmwright.template.shapes import ENVELOPE, SHAPES

if TYPE_CHECKING:
    from collections.abc import Mapping

REVIEW = "Please review http://aka.ms/azvmimagebuildertmplref for details on fields required"
TEMPLATE = "in the Image Builder Template."
SYNTAX = (
    "There is an issue with the syntax with the JSON template you are submitting. Please check the JSON "
    "template for syntax and grammar. For more information on the syntax and grammar of the JSON template, "
    "visit http://aka.ms/azvmimagebuildertmplref."
)
# The names of objects in the contract since 2024-02-01, where they are not the shape's.
STRUCTS: Mapping[str, str] = MappingProxyType(
    {
        "Identity": "ImageTemplateIdentity",
        "Properties": "ImageTemplateProperties",
        "Optimize": "ImageTemplatePropertiesOptimize",
        "VmBoot": "ImageTemplatePropertiesOptimizeVmBoot",
        "Workload": "ImageTemplatePropertiesOptimizeWorkload",
        "Validate": "ImageTemplatePropertiesValidate",
        "ErrorHandling": "ImageTemplatePropertiesErrorHandling",
        "AutoRun": "ImageTemplateAutoRun",
        "VmProfile": "ImageTemplateVmProfile",
        "VnetConfig": "VirtualNetworkConfig",
    }
)


def known_versions(version: str) -> str:
    """Return the hint for an api-version that does not exist."""
    meant = nearest(version, API_VERSIONS)
    return (f"did you mean {meant}? " if meant else "") + f"known are {', '.join(API_VERSIONS)}"


def azure_missing(path: str, name: str) -> str:
    """Return what the service says of a missing field (reference §5.2)."""
    return f"Validation failed: '{_azure_path(path)}': Missing field '{name}'. {REVIEW} {TEMPLATE}"


def azure_bad_value(path: str, value: str) -> str:
    """Return what the service says of a bad value; the two blanks around the address are its own."""
    above, _, name = path.rpartition(".")
    # The service names the list's item with the field: 'ImageTemplate.properties', 'distribute[0].type'.
    if above.endswith("]"):
        above, _, item = above.rpartition(".")
        name = f"{item}.{name}"
    return (
        f"Validation failed: '{_azure_path(above)}': Field '{name}' has a bad value: '{value}'. "
        "Please review  http://aka.ms/azvmimagebuildertmplref  for details on fields requirements "
        f"{TEMPLATE}"
    )


def azure_unknown(version: str, path: str, key: str) -> str:
    """Return what the service says since 2024-02-01 of a field that it does not know (reference §5.2).

    ``path`` is the field's own. "" for what stands in a list or in one of several kinds: there its words are
    not known.
    """
    package = f"*v{version.replace('-', '_')}"
    shape, way = ENVELOPE, ""
    for name in path.split(".")[:-1]:
        field = shape.field(name)
        if field is None or field.kind is not Kind.OBJECT:
            return ""
        way += f"unmarshalling type {package}.{STRUCTS.get(shape.name, shape.name)}: "
        way += f"struct field {name[:1].upper()}{name[1:]}: "
        shape = SHAPES[field.shapes[0]]
    struct = f"unmarshalling type {package}.{STRUCTS.get(shape.name, shape.name)}"
    return f'Unmarshalling entity encountered error: {way}{struct}: {struct}, unknown field "{key}". {SYNTAX}'


def _azure_path(path: str) -> str:
    return f"ImageTemplate.{path}" if path else "ImageTemplate"
