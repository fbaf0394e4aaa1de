from __future__ import annotations

from typing import Any

import pytest

from tests.component.arm.image_templates.talking import (
    DEFINITION,
    SITE,
    TEMPLATE,
    Talk,
    template,
)
from vmwright.arm import ids
from vmwright.arm.providers.image_templates import triggers
from vmwright.arm.service import Service
from vmwright.images import GalleryId

SOURCE_IMAGE = {"properties": {"kind": "SourceImage"}}
WINDOWS = {
    "type": "PlatformImage",
    "publisher": "MicrosoftWindowsServer",
    "offer": "WindowsServer",
    "sku": "2019-Datacenter",
    "version": "2019.0.20190214",
}
TRIGGER = f"{TEMPLATE}/triggers/newer"


async def test_a_trigger_is_made_shown_listed_and_removed(talk: Talk) -> None:
    await talk.put()
    answer = await talk("PUT", TRIGGER, SOURCE_IMAGE, version="2022-07-01")
    assert answer.status_code == 201
    assert "Location" not in answer.headers
    assert answer.json() == {
        "properties": {"kind": "SourceImage", "provisioningState": "Creating"},
        "id": TRIGGER.replace("resourceGroups", "resourcegroups"),
        "name": "newer",
        "type": "Microsoft.VirtualMachineImages/imageTemplates/triggers",
    }
    assert (await talk.ended(answer))["status"] == "Succeeded"
    shown = await talk.get(TRIGGER)
    assert shown["properties"]["provisioningState"] == "Succeeded"
    assert shown["properties"]["status"]["code"] == "Healthy"
    assert (await talk.get(f"{TEMPLATE}/triggers"))["value"] == [shown]
    assert (await talk("PUT", TRIGGER, SOURCE_IMAGE)).status_code == 200
    removed = await talk("DELETE", TRIGGER)
    assert removed.status_code == 202
    assert (await talk.ended(removed))["status"] == "Succeeded"
    assert (await talk("DELETE", TRIGGER)).status_code == 204
    assert (await talk("GET", TRIGGER)).status_code == 404


async def test_triggers_came_with_2022_07_01(talk: Talk) -> None:
    await talk.put()
    for method, path in (("PUT", TRIGGER), ("GET", f"{TEMPLATE}/triggers"), ("DELETE", TRIGGER)):
        answer = await talk(method, path, SOURCE_IMAGE if method == "PUT" else None, version="2022-02-14")
        assert answer.json()["error"]["code"] == "InvalidResourceType"


def gallery(*, version: str = "", definition: str = DEFINITION) -> list[dict[str, Any]]:
    target = f"{definition}/versions/{version}" if version else definition
    return [
        {
            "type": "SharedImage",
            "runOutputName": "web",
            "galleryImageId": target,
            "replicationRegions": ["westus"],
        }
    ]


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"source": WINDOWS}, "gets newer"),
        ({"distribute": gallery(version="1.0.0")}, "names the version 1.0.0"),
    ],
)
async def test_a_template_that_cannot_be_followed_gets_no_trigger(
    talk: Talk, definition: GalleryId, properties: dict[str, Any], says: str
) -> None:
    await talk.put(template(customize=[], **properties))
    answer = await talk("PUT", TRIGGER, SOURCE_IMAGE)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


async def test_a_template_that_failed_gets_no_trigger(talk: Talk) -> None:
    await talk.put(template(customize=[{"type": "Shell", "scriptUri": f"{SITE}lost.sh"}]))
    answer = await talk("PUT", TRIGGER, SOURCE_IMAGE)
    assert answer.status_code == 409
    assert "Failed" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [{}, {"properties": {"kind": "Cron"}}, {"properties": []}])
async def test_a_trigger_has_a_kind(talk: Talk, body: dict[str, Any]) -> None:
    await talk.put()
    assert (await talk("PUT", TRIGGER, body)).status_code == 400
    assert (await talk("PUT", TRIGGER, {**SOURCE_IMAGE, "location": "eastus"})).status_code == 400
    assert (await talk("PUT", TRIGGER, {**SOURCE_IMAGE, "location": "West US"})).status_code == 201


async def test_a_template_has_one_trigger(talk: Talk) -> None:
    await talk.put()
    assert (await talk("PUT", TRIGGER, SOURCE_IMAGE)).status_code == 201
    answer = await talk("PUT", f"{TRIGGER}-2", SOURCE_IMAGE)
    assert answer.status_code == 400
    assert "already" in answer.json()["error"]["message"]


async def test_there_are_not_too_many_triggers_in_a_region(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triggers, "MOST_IN_REGION", 1)
    await talk.put()
    await talk.put(path=f"{TEMPLATE}-2")
    assert (await talk("PUT", TRIGGER, SOURCE_IMAGE)).status_code == 201
    assert (await talk("PUT", f"{TEMPLATE}-2/triggers/t", SOURCE_IMAGE)).status_code == 409
    assert (await talk("PUT", TRIGGER, SOURCE_IMAGE)).status_code == 200


async def test_triggers_go_with_their_template(talk: Talk, service: Service) -> None:
    await talk.put()
    await talk("PUT", TRIGGER, SOURCE_IMAGE)
    await talk("DELETE", TEMPLATE)
    assert service.store.find(ids.parse(TRIGGER)) is None
    assert (await talk("GET", f"{TEMPLATE}/triggers")).status_code == 404
    assert (await talk("PUT", TRIGGER, SOURCE_IMAGE)).status_code == 404
