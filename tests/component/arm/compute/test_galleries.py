"""Galleries and image definitions, as `az sig` makes, shows, changes and removes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.arm.asking import HOST, SUBSCRIPTION
from tests.component.arm.compute.talking import DEFINITION, GALLERY, GROUP, LOCATED, OF_LINUX, PROVIDER, Talk
from vmwright.arm.service import Service
from vmwright.images import Identifier
from vmwright.images.ids import parse
from vmwright.template.model import Generation, OsType


def definition(**properties: Any) -> dict[str, Any]:
    return {**OF_LINUX, "properties": {**OF_LINUX["properties"], **properties}}


async def test_a_gallery_is_made_and_polled_as_in_azure(talk: Talk) -> None:
    answer = await talk(
        "PUT", GALLERY, {**LOCATED, "tags": {"a": "b"}, "properties": {"description": "ours"}}
    )
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Creating"
    address = answer.headers["Azure-AsyncOperation"]
    assert address.startswith(
        f"{HOST}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/capsOperations/"
    )
    assert "Location" not in answer.headers
    ended = await talk.ended(answer)
    assert ended["status"] == "Succeeded"
    assert {"startTime", "endTime", "name"} < ended.keys()
    assert await talk.get(GALLERY) == {
        "id": GALLERY,
        "name": "ours",
        "type": "Microsoft.Compute/galleries",
        "location": "westus",
        "tags": {"a": "b"},
        "properties": {
            "description": "ours",
            "identifier": {"uniqueName": f"{SUBSCRIPTION}-OURS"},
            "provisioningState": "Succeeded",
        },
    }


async def test_a_definition_gives_back_what_was_sent_and_what_azure_fills_in(talk: Talk) -> None:
    await talk.made(GALLERY, LOCATED)
    sent = definition(
        description="web servers",
        eula="yes",
        features=[{"name": "SecurityType", "value": "TrustedLaunchSupported"}],
        recommended={"vCPUs": {"min": 1, "max": 4}},
        disallowed={},
        provisioningState="Creating",
        purchasePlan={"name": "n", "publisher": "p", "product": "q"},
        architecture="Arm64",
    )
    made = await talk.made(DEFINITION, sent)
    kept = {**sent["properties"], "provisioningState": "Succeeded"}
    del kept["disallowed"]
    assert made["properties"] == kept
    plain = await talk.made(
        f"{DEFINITION}2", definition(identifier={"publisher": "a", "offer": "b", "sku": "c"})
    )
    assert plain["properties"]["architecture"] == "x64"
    older = await talk.get(DEFINITION, version="2019-03-01")
    assert {"hyperVGeneration", "architecture"}.isdisjoint(older["properties"])
    assert [one["name"] for one in (await talk.get(f"{GALLERY}/images"))["value"]] == ["web", "web2"]


async def test_tags_and_descriptions_change_and_the_rest_stays(defined: Talk) -> None:
    patch = {"tags": {"x": "y"}, "properties": {"description": "new"}}
    assert await defined.done("PATCH", GALLERY, patch) == await defined.done("PATCH", DEFINITION, patch) == ""
    for path in (GALLERY, DEFINITION):
        there = await defined.get(path)
        assert (there["tags"], there["properties"]["description"]) == ({"x": "y"}, "new")
    answer = await defined("PUT", GALLERY, LOCATED)
    assert answer.status_code == 200
    there = await defined.get(GALLERY)
    assert there["tags"] == {}
    assert "description" not in there["properties"]
    without_generation = definition(hyperVGeneration=None)
    assert (await defined("PUT", DEFINITION, without_generation)).status_code == 200
    await defined.done("PATCH", DEFINITION, {"tags": {"x": "y"}, "properties": {"eula": "e"}})
    there = await defined.get(DEFINITION)
    assert there["tags"] == {"x": "y"}
    assert "description" not in there["properties"]
    assert there["properties"]["eula"] == "e"


async def test_what_is_made_over_arm_is_there_for_builds_and_the_other_way_round(
    defined: Talk, service: Service
) -> None:
    there = service.images.galleries.get_definition(parse(DEFINITION))
    assert (there.os_type, there.generation, there.identifier.sku) == (OsType.LINUX, Generation.V1, "1")
    built = parse(f"{PROVIDER}/galleries/built/images/app")
    service.images.galleries.create_gallery(built, location="eastus")
    service.images.galleries.create_definition(
        built,
        location="eastus",
        os_type=OsType.WINDOWS,
        generation=Generation.V2,
        identifier=Identifier(publisher="p", offer="o", sku="s"),
    )
    shown = await defined.get(str(built))
    assert (shown["properties"]["osType"], shown["properties"]["osState"]) == ("Windows", "Generalized")
    for around in (GROUP, f"/subscriptions/{SUBSCRIPTION}"):
        listed = (await defined.get(f"{around}/providers/Microsoft.Compute/galleries"))["value"]
        assert [one["name"] for one in listed] == ["built", "ours"]


async def test_a_gallery_that_was_made_anew_has_nothing_of_the_one_before(
    talk: Talk, service: Service
) -> None:
    await talk.made(GALLERY, {**LOCATED, "properties": {"description": "old"}})
    service.images.galleries.remove_gallery(parse(GALLERY))
    assert (await talk.refused("GET", GALLERY))[:2] == (404, "ResourceNotFound")
    service.images.galleries.create_gallery(parse(GALLERY), location="eastus")
    shown = await talk.get(GALLERY)
    assert shown["location"] == "eastus"
    assert "description" not in shown["properties"]


async def test_what_is_not_empty_stays(defined: Talk) -> None:
    status, code, message = await defined.refused("DELETE", GALLERY)
    assert (status, code) == (409, "CannotDeleteResource")
    assert DEFINITION in message
    for path in (DEFINITION, GALLERY):
        answer = await defined("DELETE", path)
        assert answer.status_code == 202
        assert answer.headers["Location"].startswith(answer.headers["Azure-AsyncOperation"])
        assert (await defined.ended(answer))["status"] == "Succeeded"
        assert (await defined.client.get(answer.headers["Location"])).status_code == 200
        assert (await defined("GET", path)).status_code == 404
        assert (await defined("DELETE", path)).status_code == 204


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "says"),
    [
        (f"{PROVIDER}/galleries/a-b", LOCATED, 400, "InvalidParameter", "entity name 'a-b' is invalid"),
        (f"{PROVIDER}/galleries/a{'b' * 80}", LOCATED, 400, "InvalidParameter", "entity name"),
        (f"{PROVIDER}/galleries/a..", LOCATED, 400, "InvalidParameter", "entity name"),
        (GALLERY, {}, 400, "LocationRequired", "location"),
        (GALLERY, {"location": "mars"}, 400, "LocationNotAvailableForResourceType", "mars"),
        (GALLERY, {**LOCATED, "properties": []}, 400, "InvalidParameter", "properties"),
        (GALLERY.replace("/images/", "/lost/"), LOCATED, 404, "ResourceGroupNotFound", "lost"),
        (f"{PROVIDER}/galleries/none/images/x", OF_LINUX, 404, "ParentResourceNotFound", "galleries/none"),
        (f"{GALLERY}/images/-x", OF_LINUX, 400, "InvalidParameter", "entity name '-x'"),
        (f"{GALLERY}/images/x", definition(osType="BeOS"), 400, "InvalidParameter", "BeOS"),
        (f"{GALLERY}/images/x", definition(osState=None), 400, "InvalidParameter", "osState"),
        (f"{GALLERY}/images/x", definition(identifier={"offer": "o"}), 400, "InvalidParameter", "publisher"),
        (
            f"{GALLERY}/images/x",
            definition(purchasePlan={"name": "n"}),
            400,
            "InvalidParameter",
            "purchasePlan",
        ),
        (f"{GALLERY}/images/x", OF_LINUX, 409, "Conflict", "unique in a gallery"),
        (DEFINITION, definition(osType="Windows"), 409, "PropertyChangeNotAllowed", "osType"),
        (DEFINITION, {**OF_LINUX, "location": "eastus"}, 409, "InvalidResourceLocation", "eastus"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_written(
    defined: Talk, path: str, body: dict[str, Any], status: int, code: str, says: str
) -> None:
    refused = await defined.refused("PUT", path, body)
    assert refused[:2] == (status, code)
    assert says in refused[2]


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        (f"{PROVIDER}/galleries/none", "ResourceNotFound", "'Microsoft.Compute/galleries/none'"),
        (f"{DEFINITION}s", "ResourceNotFound", "'Microsoft.Compute/galleries/ours/images/webs'"),
        (f"{DEFINITION}/versions/1.0.0", "ResourceNotFound", "ours/images/web/versions/1.0.0'"),
        (f"{PROVIDER}/galleries/none/images/x", "ParentResourceNotFound", "'galleries/images'"),
        (f"{PROVIDER}/galleries/none/images", "ParentResourceNotFound", "galleries/none"),
        (f"{PROVIDER}/images/none", "ResourceNotFound", "'Microsoft.Compute/images/none'"),
        (GALLERY.replace("/images/", "/lost/"), "ResourceGroupNotFound", "lost"),
        (f"{PROVIDER}/galleries".replace("/images/", "/lost/"), "ResourceGroupNotFound", "lost"),
    ],
)
async def test_what_is_not_there_is_not_found(defined: Talk, path: str, code: str, says: str) -> None:
    refused = await defined.refused("GET", path)
    assert refused[:2] == (404, code)
    assert says in refused[2]
