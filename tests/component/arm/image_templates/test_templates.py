from __future__ import annotations

import pytest

from tests.component.arm.asking import SUBSCRIPTION
from tests.component.arm.image_templates.talking import (
    GROUP,
    IDENTITY,
    PROVIDER,
    SITE,
    SUBMITTED,
    TEMPLATE,
    Talk,
    template,
)
from vmwright.arm import ids
from vmwright.arm.service import Service
from vmwright.template.contract import API_VERSIONS

OTHERS = f"{GROUP}-other/{PROVIDER}/imageTemplates/web"
WITHOUT_IDENTITY = {name: value for name, value in SUBMITTED.items() if name != "identity"}


async def test_a_template_is_made_and_then_provisioned(talk: Talk) -> None:
    answer = await talk("PUT", TEMPLATE, SUBMITTED)
    assert answer.status_code == 201
    assert "Location" not in answer.headers
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["x-ms-request-id"] in answer.headers["Azure-AsyncOperation"]
    begun = answer.json()
    assert begun["properties"]["provisioningState"] == "Creating"
    assert begun["properties"]["exactStagingResourceGroup"] == ""
    assert begun["identity"]["userAssignedIdentities"] == {IDENTITY: {}}
    assert begun["id"] == TEMPLATE.replace("resourceGroups", "resourcegroups")

    await talk.background.idle()
    ended = await talk.ended(answer)
    assert ended["status"] == "Succeeded"
    assert ended["name"] == ended["name"].upper()
    made = await talk.get()
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert "lastRunStatus" not in made["properties"]
    assert made["identity"]["userAssignedIdentities"][IDENTITY] == {
        "principalId": "the-principal",
        "clientId": "the-client",
    }
    assert "/resourceGroups/IT_images_web_" in made["properties"]["exactStagingResourceGroup"]
    assert len(made["properties"]["customize"][0]["sha256Checksum"]) == 64


@pytest.mark.parametrize("version", API_VERSIONS)
async def test_each_api_version_makes_and_shows_templates(talk: Talk, version: str) -> None:
    body = template(
        customize=[],
        distribute=[
            {
                "type": "managedImage" if version == API_VERSIONS[0] else "ManagedImage",
                "runOutputName": "image",
                "imageId": f"{GROUP}/providers/Microsoft.Compute/images/web",
                "location": "westus",
            }
        ],
    )
    if version < "2019-05":
        del body["identity"]
    assert (await talk.put(body, version=version))["status"] == "Succeeded"
    for reader in API_VERSIONS:
        assert (await talk.get(version=reader))["properties"]["provisioningState"] == "Succeeded"
    shown = await talk.get(version=version)
    assert ("stagingResourceGroup" in shown["properties"]) is (version >= "2022-02-14")


async def test_an_api_version_that_the_provider_does_not_have_is_refused(talk: Talk) -> None:
    answer = await talk("PUT", TEMPLATE, SUBMITTED, version="2023-07-02")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "InvalidResourceType"
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert (await talk("GET", TEMPLATE, version="tomorrow")).status_code == 400
    assert (await talk.client.get(TEMPLATE)).json()["error"]["code"] == "MissingApiVersionParameter"


async def test_what_is_wrong_with_a_template_is_told_at_once_and_in_whole(talk: Talk) -> None:
    body = template(distribute=[{"type": "sharedImage", "runOutputName": "x y"}], source={"type": "Floppy"})
    answer = await talk("PUT", TEMPLATE, body, version="2024-02-01")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "ValidationFailed"
    assert error["message"].startswith("Validation failed: 'ImageTemplate.properties.source': Field 'type'")
    targets = {detail["target"] for detail in error["details"]}
    assert {"properties.source.type", "properties.distribute[0].runOutputName"} <= targets
    assert (await talk("GET", TEMPLATE)).status_code == 404


async def test_older_api_versions_have_errors_without_an_envelope(talk: Talk) -> None:
    answer = await talk("PUT", TEMPLATE, WITHOUT_IDENTITY, version="2020-02-14")
    assert answer.json()["code"] == "ValidationFailed"
    assert "Missing field 'identity'" in answer.json()["message"]
    assert (await talk("PUT", TEMPLATE, WITHOUT_IDENTITY, version="2019-05-01-preview")).status_code == 201


async def test_a_field_of_files_is_unknown_to_strict_api_versions(talk: Talk) -> None:
    body = {**SUBMITTED, "apiVersion": "2024-02-01"}
    answer = await talk("PUT", TEMPLATE, body, version="2024-02-01")
    assert answer.status_code == 400
    assert 'unknown field "apiVersion"' in answer.json()["error"]["message"]
    assert (await talk("PUT", TEMPLATE, body, version="2023-07-01")).status_code == 201


async def test_a_placeholder_is_no_value(talk: Talk) -> None:
    body = template(source={**SUBMITTED["properties"]["source"], "sku": "<rgName>"})
    answer = await talk("PUT", TEMPLATE, body)
    assert answer.status_code == 400
    assert "<rgName>" in answer.json()["error"]["message"]


async def test_a_name_that_is_none_and_a_group_that_is_not_there(talk: Talk) -> None:
    assert (await talk("PUT", f"{TEMPLATE}!", SUBMITTED)).json()["error"]["code"] == "InvalidResourceName"
    lost = TEMPLATE.replace("/images/", "/lost/")
    for method, body in (("PUT", SUBMITTED), ("GET", None)):
        answer = await talk(method, lost, body)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "ResourceGroupNotFound"
    missing = await talk("GET", TEMPLATE)
    assert missing.json()["error"]["code"] == "ResourceNotFound"
    assert "'Microsoft.VirtualMachineImages/imageTemplates/web'" in missing.json()["error"]["message"]


async def test_a_template_that_is_put_again_is_updated(talk: Talk) -> None:
    await talk.put()
    before = await talk.get()
    answer = await talk("PUT", TEMPLATE.upper(), template(customize=[]))
    assert answer.status_code == 200
    assert answer.json()["properties"]["provisioningState"] == "Updating"
    await talk.background.idle()
    assert (await talk.ended(answer))["status"] == "Succeeded"
    after = await talk.get()
    assert after["id"] == before["id"]
    assert "customize" not in after["properties"]
    staging = "exactStagingResourceGroup"
    assert after["properties"][staging] == before["properties"][staging]


async def test_what_get_shows_can_be_put(talk: Talk) -> None:
    for version in ("2020-02-14", "2025-10-01"):
        await talk.put(version=version)
        shown = await talk.get(version=version)
        assert (await talk.put(shown, version=version))["status"] == "Succeeded"
        assert await talk.get(version=version) == shown


async def test_a_template_stays_in_its_location(talk: Talk) -> None:
    await talk.put()
    answer = await talk("PUT", TEMPLATE, {**SUBMITTED, "location": "eastus"})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "InvalidResourceLocation"
    assert (await talk("PUT", TEMPLATE, {**SUBMITTED, "location": "West US"})).status_code == 200


async def test_a_template_goes_with_its_staging_group(talk: Talk, service: Service) -> None:
    await talk.put()
    staging = ids.parse((await talk.get())["properties"]["exactStagingResourceGroup"])
    group = service.store.find(staging)
    assert group is not None
    assert group.tags["imageTemplateName"] == "web"
    answer = await talk("DELETE", TEMPLATE)
    assert answer.status_code == 202
    assert answer.headers["Content-Length"] == "0"
    assert answer.headers["Location"] == answer.headers["Azure-AsyncOperation"]
    assert (await talk.ended(answer))["status"] == "Succeeded"
    assert (await talk("GET", TEMPLATE)).status_code == 404
    assert service.store.find(staging) is None
    assert (await talk("DELETE", TEMPLATE)).status_code == 204


async def test_templates_of_a_group_and_of_the_subscription_are_listed(talk: Talk) -> None:
    await talk.put()
    await talk.put(path=OTHERS)
    of_group = await talk.get(f"{GROUP}/{PROVIDER}/imageTemplates")
    assert [one["id"] for one in of_group["value"]] == [(await talk.get())["id"]]
    everything = await talk.get(f"/subscriptions/{SUBSCRIPTION}/{PROVIDER}/imageTemplates")
    assert len(everything["value"]) == 2
    assert "nextLink" not in everything


async def test_a_long_list_comes_in_pages(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmwright.arm.paging.MOST", 2)
    for number in range(5):
        await talk.put(path=f"{TEMPLATE}-{number}")
    names, address = [], f"{GROUP}/{PROVIDER}/imageTemplates?api-version=2023-07-01"
    while address:
        found = (await talk.client.get(address)).json()
        names += [one["name"] for one in found["value"]]
        address = found.get("nextLink", "")
    assert names == [f"web-{number}" for number in range(5)]
    wrong = await talk("GET", f"{GROUP}/{PROVIDER}/imageTemplates?$skipToken=?")
    assert wrong.json()["error"]["code"] == "InvalidSkipToken"


async def test_tags_and_identity_are_patched(talk: Talk) -> None:
    await talk.put()
    answer = await talk(
        "PATCH", TEMPLATE, {"tags": {"team": None, "cost": "7"}, "identity": {"type": "None"}}
    )
    assert answer.status_code == 202
    assert answer.headers["Location"] == answer.headers["Azure-AsyncOperation"]
    assert (await talk.ended(answer))["status"] == "Succeeded"
    patched = await talk.get()
    assert patched["tags"] == {"cost": "7"}
    assert patched["identity"] == {"type": "None"}
    lower = IDENTITY.lower()
    again = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {lower: {}}}}
    assert (await talk("PATCH", TEMPLATE, again)).status_code == 202
    assert (await talk.get())["identity"]["userAssignedIdentities"][lower]["clientId"] == "the-client"
    taken = {"identity": {"userAssignedIdentities": {IDENTITY: None}}}
    assert (await talk("PATCH", TEMPLATE, taken)).status_code == 202
    assert (await talk.get())["identity"] == {"type": "None"}


async def test_a_patch_changes_nothing_else(talk: Talk) -> None:
    await talk.put()
    before = await talk.get()
    answer = await talk("PATCH", TEMPLATE, {"properties": {"customize": []}})
    assert answer.status_code == 400
    assert "properties.customize" in answer.json()["error"]["message"]
    lost = {
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": {f"{IDENTITY}-lost": {}, IDENTITY: None},
        }
    }
    assert (await talk("PATCH", TEMPLATE, lost)).status_code == 400
    assert (await talk("PATCH", TEMPLATE, {"tags": ["a"]})).status_code == 400
    assert (await talk("PATCH", TEMPLATE, {"properties": {"distribute": None}})).status_code == 400
    assert (await talk("PATCH", TEMPLATE, {"properties": [1]})).status_code == 400
    assert await talk.get() == before
    assert (await talk("PATCH", f"{TEMPLATE}-lost", {"tags": {}})).status_code == 404


async def test_distributors_are_added_by_patch_and_never_taken_away(talk: Talk) -> None:
    await talk.put()
    added = [{"type": "VHD", "runOutputName": "disk"}, {"type": "VHD", "runOutputName": "more"}]
    patch = {"properties": {"distribute": added}}
    assert (await talk("PATCH", TEMPLATE, patch, version="2022-07-01")).status_code == 400
    assert (await talk("PATCH", TEMPLATE, patch)).status_code == 202
    assert [one["runOutputName"] for one in (await talk.get())["properties"]["distribute"]] == [
        "disk",
        "more",
    ]
    fewer = await talk("PATCH", TEMPLATE, {"properties": {"distribute": added[:1]}})
    assert fewer.status_code == 400
    assert "Runoutput name more not found" in fewer.json()["error"]["message"]


async def test_the_vm_profile_is_patched(talk: Talk) -> None:
    await talk.put(template(vmProfile={"vmSize": "Standard_D2_v2", "osDiskSizeGB": 30}))
    patch = {"properties": {"vmProfile": {"osDiskSizeGB": 40}}}
    assert (await talk("PATCH", TEMPLATE, patch, version="2024-02-01")).status_code == 202
    profile = (await talk.get())["properties"]["vmProfile"]
    assert profile == {"vmSize": "Standard_D2_v2", "osDiskSizeGB": 40}


async def test_the_provider_tells_what_it_can_do(talk: Talk) -> None:
    known = (await talk.get(f"/{PROVIDER}/operations"))["value"]
    assert len(known) == 13
    assert f"{PROVIDER.partition('/')[2]}/imageTemplates/run/action" in {one["name"] for one in known}
    lost = f"/subscriptions/{SUBSCRIPTION}/{PROVIDER}/locations/westus/operations/none"
    assert (await talk("GET", lost)).status_code == 404


async def test_a_script_behind_a_signature_is_shown_to_who_wrote_it(talk: Talk) -> None:
    uri = f"{SITE}setup.sh?sig=abcdefghijkl"
    await talk.put(template(customize=[{"type": "Shell", "scriptUri": uri}]))
    assert (await talk.get())["properties"]["customize"][0]["scriptUri"] == uri
