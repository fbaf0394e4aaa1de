"""What Compute's resources are called, and what their names may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vmwright.arm.http.errors import ArmError, group_not_found, not_found
from vmwright.arm.http.routing import GROUP
from vmwright.arm.ids import ResourceId
from vmwright.errors import DistributeError
from vmwright.images import GalleryId, numbers
from vmwright.images.ids import LATEST, NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.http.call import Call

NAMESPACE = "Microsoft.Compute"
GALLERIES, IMAGES = f"{NAMESPACE}/galleries", f"{NAMESPACE}/images"
DEFINITIONS = f"{GALLERIES}/images"
VERSIONS = f"{DEFINITIONS}/versions"

GALLERY = f"{GROUP}/providers/{GALLERIES}/{{gallery}}"
DEFINITION = f"{GALLERY}/images/{{definition}}"
VERSION = f"{DEFINITION}/versions/{{version}}"
IMAGE = f"{GROUP}/providers/{IMAGES}/{{image}}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind of name is called in errors, and the pattern that it has, which they show."""

    target: str
    pattern: str

    def check(self, name: str) -> None:
        """Check a name.

        :raises ArmError: it is none, in Compute's words.
        """
        if re.fullmatch(self.pattern.strip("^$"), name, re.ASCII) is None:
            raise invalid(
                self.target,
                f"The entity name '{name}' is invalid according to its validation rule: {self.pattern}.",
            )


GALLERY_NAME = Rule("galleryName", r"^[A-Za-z0-9][A-Za-z0-9._]{0,79}(?<![-.])$")
DEFINITION_NAME = Rule("galleryImageName", r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}(?<![-.])$")
IMAGE_NAME = Rule("imageName", r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}(?<![-.])$")


def invalid(target: str, message: str) -> ArmError:
    """Return the error of a value that is not valid."""
    return ArmError(400, "InvalidParameter", message, target=target)


def properties_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties in a body; {} where it has none.

    :raises ArmError: they are no object.
    """
    given = document.get("properties")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise invalid("properties", "The properties are not a JSON object.")
    return given


def gallery_id(call: Call) -> GalleryId:
    """Return the id of the gallery, definition or version that a call names; version 1.02.3 is 1.2.3.

    :raises ArmError: a name is none; what is written is ``latest``.
    """
    names = call.names
    if not NAME.fullmatch(names["group"]):
        raise group_not_found(names["group"])
    for place, rule in (("gallery", GALLERY_NAME), ("definition", DEFINITION_NAME)):
        if place in names and not NAME.fullmatch(names[place]):
            rule.check(names[place])
    return GalleryId(
        subscription=names["subscription"],
        resource_group=names["group"],
        gallery=names["gallery"],
        definition=names.get("definition", ""),
        version=_number(call) if "version" in names else "",
    )


def _number(call: Call) -> str:
    text = call.names["version"]
    if text.lower() == LATEST and call.method in {"GET", "HEAD"}:
        return LATEST
    try:
        return str(numbers.parse(text))
    except DistributeError as error:
        raise invalid("galleryImageVersionName", error.message) from None


def image_id(call: Call) -> ResourceId:
    """Return the id of the managed image that a call names."""
    names = call.names
    return ResourceId(names["subscription"], names["group"], NAMESPACE, ("images",), (names["image"],))


def missing(wanted: ResourceId) -> ArmError:
    """Return the error of a resource that is not there."""
    name = wanted.names[0]
    for kind, inner in zip(wanted.types[1:], wanted.names[1:], strict=True):
        name += f"/{kind}/{inner}"
    return not_found(f"{NAMESPACE}/{wanted.types[0]}", name, wanted.group)


def parent_missing(verb: str, wanted: ResourceId) -> ArmError:
    """Return the error of a request for something in a resource that is not there.

    :param verb: read or write; ``wanted`` is what was to be read or written.
    """
    return ArmError(
        404,
        "ParentResourceNotFound",
        f"Failed to perform '{verb}' on resource(s) of type '{'/'.join(wanted.types)}', because the parent "
        f"resource '{wanted.parent}' could not be found.",
        is_gateways=True,
    )
