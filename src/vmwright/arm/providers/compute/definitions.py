"""Image definitions: what all versions of an image have in common."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids as arm_ids
from vmwright.arm.checks import check_stays, location_of, tags_of
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.compute import shapes
from vmwright.arm.providers.compute.collection import Collection, Record
from vmwright.arm.providers.compute.documents import Wish
from vmwright.arm.providers.compute.galleries import check_empty, patched
from vmwright.arm.providers.compute.names import (
    DEFINITION_NAME,
    DEFINITIONS,
    invalid,
    parent_missing,
    properties_of,
)
from vmwright.images import Identifier
from vmwright.images.ids import parse
from vmwright.template.model import Generation, OsType, PlanInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation
    from vmwright.arm.providers.compute.collection import Thing
    from vmwright.arm.providers.compute.documents import Document
    from vmwright.arm.service import Service
    from vmwright.images.records import DefinitionRecord

USUAL = {"hyperVGeneration": "V1", "architecture": "x64"}
# The library knows generalized images for x64 alone, and has no columns for that.
USUAL_ONLY = {"osState": "Generalized", "architecture": "x64"}
FIXED = ("osType", "osState", "hyperVGeneration", "architecture", "identifier", "purchasePlan")
PLAN = ("name", "publisher", "product")
IDENTIFIER = ("publisher", "offer", "sku")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "osType": (OsType.LINUX, OsType.WINDOWS),
    "osState": ("Generalized", "Specialized"),
    "hyperVGeneration": (Generation.V1, Generation.V2),
    "architecture": ("x64", "Arm64"),
}


class Definitions:
    """Microsoft.Compute/galleries/images (``writing.Kind``)."""

    def __init__(self, service: Service) -> None:
        self._library = service.images.galleries
        self._versions = service.images.versions
        self.collection = Collection(service, DEFINITIONS, find=self._find, below=self._below)

    def wish(self, call: Call, wanted: ResourceId, there: Thing | None) -> Wish:
        """Return what a request wants: for which system the images are, and what they are called."""
        document = call.document()
        if call.method == "PATCH":
            wish = patched(document, wanted, there)
        else:
            DEFINITION_NAME.check(wanted.name)
            location = location_of(document, DEFINITIONS)
            if there is not None and there.made_at is not None:
                check_stays(there.as_resource(there.made_at), location)
            properties = USUAL | _fixed(there) | shapes.kept(properties_of(document))
            wish = Wish(location=location, tags=tags_of(document), properties=properties)
        gallery = parse(str(wanted)).of_gallery
        if self._library.find_gallery(gallery) is None:
            raise parent_missing("write", wanted)
        _check(wish.properties)
        _check_fixed(_fixed(there), wish.properties)
        self._check_unique(wanted, wish.properties["identifier"])
        return wish

    async def make(self, document: Document, operation: Operation) -> datetime:  # noqa: ARG002 - a Kind's
        """Make a definition, or change the tags of one."""
        return (await asyncio.to_thread(self._make, document)).created_at

    def check_removable(self, there: Thing) -> None:
        """Check that a definition has no versions."""
        inside = self._versions.list(parse(str(there.id)))
        check_empty([str(version.id) for version in inside])

    def remove(self, wanted: ResourceId) -> None:
        """Remove a definition."""
        self._library.remove_definition(parse(str(wanted)))

    def _check_unique(self, wanted: ResourceId, identifier: Mapping[str, str]) -> None:
        given = tuple(identifier[name].lower() for name in IDENTIFIER)
        for other in self._library.definitions(parse(str(wanted))):
            has = (other.identifier.publisher, other.identifier.offer, other.identifier.sku)
            if tuple(map(str.lower, has)) == given and other.id.key != arm_ids.parse(str(wanted)).key:
                raise ArmError(
                    409,
                    "Conflict",
                    f"The image definition '{other.id}' of the same gallery has this identifier: publisher, "
                    "offer and sku are together unique in a gallery.",
                    target="galleryImage.properties.identifier",
                )

    def _make(self, document: Document) -> DefinitionRecord:
        definition, wish = parse(str(document.id)), document.wish
        if document.of is not None:
            return self._library.update_definition(definition, tags=wish.tags)
        properties = wish.properties
        identifier, plan = properties["identifier"], properties.get("purchasePlan")
        return self._library.create_definition(
            definition,
            location=wish.location,
            os_type=OsType(properties["osType"]),
            generation=Generation(properties["hyperVGeneration"]),
            identifier=Identifier(**{name: identifier[name] for name in IDENTIFIER}),
            plan=_plan(plan) if plan else None,
            tags=wish.tags,
        )

    def _find(self, wanted: ResourceId) -> Record | None:
        found = self._library.find_definition(parse(str(wanted)))
        return _record(found) if found else None

    def _below(self, scope: ResourceId) -> Iterable[Record]:
        return map(_record, self._library.definitions(parse(str(scope))))


def _fixed(there: Thing | None) -> dict[str, Any]:
    """Return what of a definition cannot be changed; {} where there is none yet."""
    if there is None or there.made_at is None:
        return {}
    return {name: there.properties[name] for name in FIXED if name in there.properties}


def _check_fixed(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for name, value in before.items():
        if after.get(name) != value:
            raise ArmError(
                409,
                "PropertyChangeNotAllowed",
                f"Changing property 'galleryImage.properties.{name}' is not allowed.",
                target=f"galleryImage.properties.{name}",
            )


def _check(properties: Mapping[str, Any]) -> None:
    for name, choices in CHOICES.items():
        given = properties.get(name)
        if given not in choices:
            was = "is missing" if given is None else f"'{given}' is none of them"
            raise invalid(
                f"galleryImage.properties.{name}",
                f"Parameter 'galleryImage.properties.{name}' is one of {', '.join(choices)}; it {was}.",
            )
    _check_texts("identifier", properties.get("identifier"), IDENTIFIER)
    if "purchasePlan" in properties:
        _check_texts("purchasePlan", properties["purchasePlan"], PLAN)


def _check_texts(what: str, given: object, names: Iterable[str]) -> None:
    for name in names:
        text = given.get(name) if isinstance(given, dict) else None
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            target = f"galleryImage.properties.{what}.{name}"
            raise invalid(target, f"Required parameter '{target}' is missing (null), or is no text.")


def _plan(plan: Mapping[str, str]) -> PlanInfo:
    return PlanInfo(
        plan_name=plan["name"],
        plan_product=plan["product"],
        plan_publisher=plan["publisher"],
    )


def _record(definition: DefinitionRecord) -> Record:
    body = definition.as_resource()
    properties = {name: value for name, value in body["properties"].items() if name not in USUAL_ONLY}
    return Record({**body, "properties": properties}, definition.created_at, usual=USUAL_ONLY)
