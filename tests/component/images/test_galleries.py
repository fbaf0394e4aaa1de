from __future__ import annotations

from dataclasses import replace

import pytest

from tests.component.images.conftest import DEFINITION, FACTS, PLAN, define
from vmwright.errors import DistributeError, VmwrightError
from vmwright.images import GalleryLibrary, ids
from vmwright.images.galleries import default_identifier
from vmwright.template.model import Generation, OsType

UPPER = ids.parse(str(DEFINITION).upper())


def test_ids_are_compared_without_case_and_the_first_one_stays(galleries: GalleryLibrary) -> None:
    define(galleries)
    define(galleries, UPPER)
    assert [str(one.id) for one in galleries.galleries()] == [str(DEFINITION.of_gallery)]
    assert [str(one.id) for one in galleries.definitions(UPPER)] == [str(DEFINITION)]
    found = galleries.find_definition(UPPER)
    assert found == galleries.get_definition(DEFINITION)
    assert galleries.find_gallery(UPPER) == galleries.find_gallery(DEFINITION) is not None


def test_a_definition_needs_its_gallery(galleries: GalleryLibrary) -> None:
    identifier = default_identifier(DEFINITION)
    with pytest.raises(VmwrightError, match="no gallery"):
        galleries.create_definition(
            DEFINITION,
            location="westus",
            os_type=FACTS.os_type,
            generation=FACTS.generation,
            identifier=identifier,
        )


def test_what_is_missing_names_what_may_be_meant(galleries: GalleryLibrary) -> None:
    define(galleries)
    with pytest.raises(VmwrightError, match="There is no image definition") as caught:
        galleries.get_definition(replace(DEFINITION, definition="Webb"))
    assert caught.value.hint == f"did you mean {DEFINITION}?"


def test_an_image_that_does_not_fit_says_what_differs(galleries: GalleryLibrary) -> None:
    galleries.check_fits(DEFINITION, FACTS)
    define(galleries)
    galleries.check_fits(DEFINITION, FACTS)
    with pytest.raises(DistributeError, match=r"hyperVGeneration: V1 there, V2 here\)"):
        galleries.check_fits(DEFINITION, replace(FACTS, generation=Generation.V2))
    with pytest.raises(DistributeError, match="osType: Linux there, Windows here"):
        galleries.check_fits(DEFINITION, replace(FACTS, os_type=OsType.WINDOWS))


def test_only_what_is_empty_is_removed(galleries: GalleryLibrary) -> None:
    define(galleries)
    with pytest.raises(VmwrightError, match="is not empty: it has Web"):
        galleries.remove_gallery(DEFINITION)
    galleries.remove_definition(UPPER)
    galleries.remove_gallery(UPPER)
    assert (galleries.galleries(), galleries.definitions()) == ([], [])
    with pytest.raises(VmwrightError, match="no gallery"):
        galleries.remove_gallery(DEFINITION)
    with pytest.raises(VmwrightError, match="no image definition"):
        galleries.remove_definition(DEFINITION)


def test_the_shapes_of_the_resources(galleries: GalleryLibrary) -> None:
    gallery = galleries.create_gallery(DEFINITION, location="westus", tags={"a": "b"}).as_resource()
    assert gallery == {
        "id": str(DEFINITION.of_gallery),
        "name": "gal",
        "type": "Microsoft.Compute/galleries",
        "location": "westus",
        "tags": {"a": "b"},
        "properties": {"identifier": {"uniqueName": "s1-GAL"}, "provisioningState": "Succeeded"},
    }
    made = galleries.create_definition(
        DEFINITION,
        location="westus",
        os_type=FACTS.os_type,
        generation=FACTS.generation,
        identifier=default_identifier(DEFINITION),
        plan=PLAN,
    )
    assert made.as_resource() == {
        "id": str(DEFINITION),
        "name": "Web",
        "type": "Microsoft.Compute/galleries/images",
        "location": "westus",
        "tags": {},
        "properties": {
            "hyperVGeneration": "V1",
            "architecture": "x64",
            "osType": "Linux",
            "osState": "Generalized",
            "identifier": {"publisher": "rg1", "offer": "gal", "sku": "Web"},
            "provisioningState": "Succeeded",
            "purchasePlan": {"name": "n", "publisher": "pub", "product": "p"},
        },
    }
