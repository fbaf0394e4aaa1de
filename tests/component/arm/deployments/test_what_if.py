"""What-if: compared with what is there, and nothing made."""

from __future__ import annotations

from typing import Any

from tests.component.arm.asking import HOST
from tests.component.arm.deployments.talking import (
    DEPLOYMENT,
    GROUP,
    IDENTITIES,
    TEMPLATES,
    Talk,
    body,
    identity,
    image_template,
    template,
)

BUILDER, WEB = f"{GROUP}/providers/{IDENTITIES}/builder", f"{GROUP}/providers/{TEMPLATES}/web"


async def changes(talk: Talk, sent: Any) -> dict[str, dict[str, Any]]:
    answer = await talk("POST", f"{DEPLOYMENT}/whatIf", sent)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"].startswith(HOST)
    result = await talk.client.get(answer.headers["Location"])
    assert result.status_code == 200
    assert result.json()["status"] == "Succeeded"
    return {one["resourceId"].lower(): one for one in result.json()["properties"]["changes"]}


async def test_what_is_not_there_would_be_created(talk: Talk) -> None:
    found = await changes(talk, body(template(identity())))
    change = found[BUILDER.lower()]
    assert change["changeType"] == "Create"
    assert change["after"] == {
        "apiVersion": "2023-01-31",
        "id": BUILDER,
        "name": "builder",
        "type": IDENTITIES,
        "location": "westus",
    }
    assert (await talk.client.get(f"{BUILDER}?api-version=2023-01-31")).status_code == 404


async def test_what_is_as_the_template_has_it_would_not_change(talk: Talk) -> None:
    of = template(identity(), image_template(tags={"a": "1"}))
    await talk.deploy(body(of))
    found = await changes(talk, body(of))
    assert {key: one["changeType"] for key, one in found.items()} == {
        BUILDER.lower(): "NoChange",
        WEB.lower(): "NoChange",
    }


async def test_differences_of_properties_are_told_one_by_one(talk: Talk) -> None:
    await talk.deploy(body(template(identity(), image_template(tags={"a": "1", "b": "2"}))))
    other = image_template(tags={"a": "2"})
    other["properties"]["source"]["sku"] = "12-backports"
    other["properties"]["customize"].append({"type": "Shell", "name": "more", "inline": ["echo more"]})
    found = await changes(talk, body(template(identity(), other)))
    change = found[WEB.lower()]
    assert change["changeType"] == "Modify"
    delta = {one["path"]: one for one in change["delta"]}
    assert {one["path"]: one["propertyChangeType"] for one in delta["tags"]["children"]} == {
        "a": "Modify",
        "b": "Delete",
    }
    properties = {one["path"]: one for one in delta["properties"]["children"]}
    assert properties.keys() == {"source", "customize"}
    (sku,) = properties["source"]["children"]
    assert (sku["path"], sku["before"], sku["after"]) == ("sku", "12", "12-backports")
    assert properties["customize"]["propertyChangeType"] == "Array"
    (added,) = properties["customize"]["children"]
    assert (added["path"], added["propertyChangeType"]) == ("1", "Create")


async def test_what_the_template_does_not_name_is_left_alone(talk: Talk) -> None:
    await talk.deploy(body(template(identity(), identity("other"))))
    found = await changes(talk, body(template(identity())))
    assert found[f"{GROUP}/providers/{IDENTITIES}/other".lower()]["changeType"] == "Ignore"


async def test_ids_alone_are_told_where_no_more_is_asked_for(talk: Talk) -> None:
    sent = body(template(identity()))
    sent["properties"]["whatIfSettings"] = {"resultFormat": "ResourceIdOnly"}
    assert await changes(talk, sent) == {BUILDER.lower(): {"resourceId": BUILDER, "changeType": "Deploy"}}


async def test_values_that_are_not_known_yet_stand_as_they_are_written(talk: Talk) -> None:
    tags = {"owner": f"[reference(resourceId('{IDENTITIES}', 'builder')).principalId]"}
    found = await changes(talk, body(template(identity(), identity("second", tags=tags))))
    second = found[f"{GROUP}/providers/{IDENTITIES}/second".lower()]
    assert second["after"]["tags"] == tags


async def test_values_of_what_is_there_already_are_compared(talk: Talk) -> None:
    tags = {"owner": f"[reference(resourceId('{IDENTITIES}', 'builder')).principalId]"}
    of = body(template(identity(), identity("second", tags=tags)))
    await talk.deploy(of)
    assert {one["changeType"] for one in (await changes(talk, of)).values()} == {"NoChange"}
