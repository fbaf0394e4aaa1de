"""Galleries and image definitions of a deployment template are made before its image templates are built."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.scripted import Recorder
from vmwright.builds.declared import make_declared
from vmwright.errors import TemplateError
from vmwright.events import Events, Notice
from vmwright.images import GalleryId, GalleryLibrary
from vmwright.state.database import Database
from vmwright.template import read_all
from vmwright.template.model import Generation, OsType

GALLERY = {
    "type": "Microsoft.Compute/galleries",
    "apiVersion": "2021-10-01",
    "name": "golden",
    "location": "westus2",
    "tags": {"owner": "platform"},
}
DEFINITION = {
    "type": "Microsoft.Compute/galleries/images",
    "apiVersion": "2021-10-01",
    "name": "golden/web",
    "location": "westus2",
    "dependsOn": ["[resourceId('Microsoft.Compute/galleries', 'golden')]"],
    "properties": {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "identifier": {"publisher": "Contoso", "offer": "Linux", "sku": "Web"},
    },
}
WEB = GalleryId(
    subscription="00000000-0000-0000-0000-000000000000",
    resource_group="vmwright",
    gallery="golden",
    definition="web",
)


def declare(database: Database, events: Events, *resources: dict[str, Any]) -> None:
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    file = {"$schema": schema, "contentVersion": "1.0.0.0", "resources": list(resources)}
    readings = read_all(json.dumps(file).encode())
    make_declared(readings.resources, database, events)


def of_name(definition: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {
        **definition,
        "name": "[concat('golden', '/web')]",
        "properties": {**definition["properties"], **properties},
    }


def test_what_is_declared_is_made_once(database: Database, events: Events, recorder: Recorder) -> None:
    for _ in range(2):
        declare(database, events, of_name(DEFINITION), GALLERY)
    galleries = GalleryLibrary(database)
    gallery, definition = galleries.find_gallery(WEB), galleries.find_definition(WEB)
    assert gallery is not None
    assert definition is not None
    assert gallery.tags == {"owner": "platform"}
    assert (definition.os_type, definition.generation) == (OsType.LINUX, Generation.V2)
    assert definition.identifier.publisher == "Contoso"
    assert [notice.message.split(" was made")[0] for notice in recorder.of(Notice)] == [
        "The gallery golden",
        "The image definition golden/web",
    ]


def test_a_definition_that_is_there_for_other_images_is_said(database: Database, events: Events) -> None:
    declare(database, events, GALLERY, of_name(DEFINITION))
    with pytest.raises(TemplateError, match="for Linux of generation V2, not for Linux of V1") as caught:
        declare(database, events, of_name(DEFINITION, hyperVGeneration="V1"))
    assert caught.value.target == "resources[0]"


def test_a_definition_without_a_gallery_is_said(database: Database, events: Events) -> None:
    with pytest.raises(TemplateError, match="golden is neither declared nor there"):
        declare(database, events, of_name(DEFINITION))


def test_what_cannot_be_read_names_its_field(database: Database, events: Events) -> None:
    with pytest.raises(TemplateError) as caught:
        declare(database, events, GALLERY, of_name(DEFINITION, osType="Plan9"))
    assert caught.value.target == "resources[1].properties.osType"
