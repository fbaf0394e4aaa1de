"""Galleries and image definitions that a deployment declares beside its image templates, made before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from vmwright.errors import TemplateError
from vmwright.images import GalleryLibrary, Identifier, ids
from vmwright.template.model import Generation, OsType, PlanInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmwright.events import Events
    from vmwright.images import GalleryId
    from vmwright.state.database import Database
    from vmwright.template.deployment import Resource


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel)


Kind = TypeVar("Kind", bound=_Wire)


class _Identifier(_Wire):
    publisher: str
    offer: str
    sku: str


class _Plan(_Wire):
    name: str
    product: str
    publisher: str


class _DefinitionProperties(_Wire):
    os_type: OsType
    hyper_v_generation: Generation = Generation.V1
    identifier: _Identifier
    purchase_plan: _Plan | None = None


class _Gallery(_Wire):
    location: str
    tags: dict[str, str] = Field(default_factory=dict)


class _Definition(_Gallery):
    properties: _DefinitionProperties


def make_declared(resources: Iterable[Resource], database: Database, events: Events) -> None:
    """Make the galleries and image definitions among ``resources``, in their order; those there are stay.

    :raises TemplateError: one cannot be read, its gallery is neither declared nor there, or a definition of
        that id is for other images.
    """
    galleries = GalleryLibrary(database)
    for resource in resources:
        match resource.type.casefold():
            case "microsoft.compute/galleries":
                _make_gallery(resource, galleries, events)
            case "microsoft.compute/galleries/images":
                _make_definition(resource, galleries, events)


def _make_gallery(resource: Resource, galleries: GalleryLibrary, events: Events) -> None:
    declared, gallery = _read(resource, _Gallery), ids.parse(resource.id)
    if galleries.find_gallery(gallery) is None:
        galleries.create_gallery(gallery, location=declared.location, tags=declared.tags)
        events.note(f"The gallery {gallery.gallery} was made, as the deployment declares it")


def _make_definition(resource: Resource, galleries: GalleryLibrary, events: Events) -> None:
    declared, definition = _read(resource, _Definition), ids.parse_definition(resource.id)
    wanted = declared.properties
    found = galleries.find_definition(definition)
    if found is None:
        _require_gallery(resource, definition, galleries)
        plan = wanted.purchase_plan
        galleries.create_definition(
            definition,
            location=declared.location,
            os_type=wanted.os_type,
            generation=wanted.hyper_v_generation,
            identifier=Identifier(**wanted.identifier.model_dump()),
            plan=PlanInfo(plan_name=plan.name, plan_product=plan.product, plan_publisher=plan.publisher)
            if plan
            else None,
            tags=declared.tags,
        )
        events.note(f"The image definition {definition.short} was made, as the deployment declares it")
    elif (found.os_type, found.generation) != (wanted.os_type, wanted.hyper_v_generation):
        raise TemplateError(
            f"The image definition {definition.short} is there, for {found.os_type} of generation "
            f"{found.generation}, not for {wanted.os_type} of {wanted.hyper_v_generation}",
            target=resource.place.path,
            hint="declare it as it is, or give it another name",
        )


def _require_gallery(resource: Resource, definition: GalleryId, galleries: GalleryLibrary) -> None:
    if galleries.find_gallery(definition) is None:
        raise TemplateError(
            f"The image definition {definition.short} has no gallery: {definition.gallery} is neither "
            "declared nor there",
            target=resource.place.path,
            hint="declare the gallery, and name it in the definition's `dependsOn`",
        )


def _read(resource: Resource, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate(resource.body)
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(map(str, wrong["loc"]))
        raise TemplateError(
            f"The {resource.type} {resource.name} cannot be read: {field}: {wrong['msg']}",
            target=f"{resource.place.path}.{field}",
            hint="Azure's reference of Microsoft.Compute/galleries has its fields",
        ) from None
