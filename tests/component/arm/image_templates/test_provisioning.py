from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.component.arm.asking import access_of, arm_of, asking
from tests.component.arm.image_templates.talking import (
    DEFINITION,
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
from vmwright.arm.background import Background
from vmwright.arm.providers import image_templates
from vmwright.arm.providers.image_templates.finding import Found
from vmwright.arm.service import Service
from vmwright.arm.store import GROUP_TYPE
from vmwright.artifacts.facts import ImageFacts, Provisioning
from vmwright.images import GalleryId
from vmwright.settings import IdentitySettings, Settings
from vmwright.template.model import Generation, OsType, Template

SETUP = hashlib.sha256(b"#!/bin/sh\n").hexdigest()


def shell(**changed: Any) -> dict[str, Any]:
    return {"type": "Shell", "name": "setup", "scriptUri": f"{SITE}setup.sh", **changed}


@pytest.mark.parametrize(
    ("properties", "code", "says"),
    [
        ({"customize": [shell(scriptUri=f"{SITE}lost.sh")]}, "Other", "customize[0]"),
        ({"customize": [shell(), shell(sha256Checksum="0" * 64)]}, "Other", f"{SETUP}, not {'0' * 64}"),
        ({"customize": [shell(scriptUri="file:///etc/passwd")]}, "Other", "does not read for its clients"),
        (
            {"validate": {"inVMValidations": [shell(scriptUri=f"{SITE}lost.sh")]}},
            "Other",
            "validate.inVMValidations[0]",
        ),
        (
            {
                "source": {
                    "type": "PlatformImage",
                    "publisher": "nobody",
                    "offer": "nothing",
                    "sku": "none",
                    "version": "1.0.0",
                }
            },
            "BadPIRSource",
            "nobody:nothing:none",
        ),
        (
            {"source": {"type": "ManagedImage", "imageId": f"{GROUP}/providers/Microsoft.Compute/images/no"}},
            "BadManagedImageSource",
            "Error getting Managed Image",
        ),
        (
            {"source": {"type": "SharedImageVersion", "imageVersionId": f"{DEFINITION}/versions/1.0.0"}},
            "BadSharedImageVersionSource",
            "Error getting Image Version",
        ),
        ({"vmProfile": {"userAssignedIdentities": [f"{IDENTITY}-lost"]}}, "Other", "builder-lost"),
        ({"stagingResourceGroup": f"{GROUP}-other"}, "BadStagingResourceGroup", "not empty"),
    ],
)
async def test_a_template_that_cannot_be_provisioned_tells_why(
    talk: Talk, properties: dict[str, Any], code: str, says: str
) -> None:
    await talk.put(path=f"{GROUP}-other/{PROVIDER}/imageTemplates/tenant")
    ended = await talk.put(template(**properties))
    assert ended["status"] == "Failed"
    assert says in ended["error"]["message"]
    failed = (await talk.get())["properties"]
    assert failed["provisioningState"] == "Failed"
    assert failed["provisioningError"]["provisioningErrorCode"] == code
    assert failed["provisioningError"]["message"] == ended["error"]["message"]
    assert (await talk("POST", f"{TEMPLATE}/run")).json()["error"]["code"] == "OperationNotAllowed"


SHARED_IMAGE = {"type": "SharedImage", "runOutputName": "web", "replicationRegions": ["westus"]}


async def test_an_image_definition_is_there_before_its_template(talk: Talk, service: Service) -> None:
    body = template(distribute=[{**SHARED_IMAGE, "galleryImageId": DEFINITION}])
    ended = await talk.put(body)
    assert ended["status"] == "Failed"
    error = (await talk.get())["properties"]["provisioningError"]
    assert error["provisioningErrorCode"] == "BadSharedImageDistribute"
    assert "image definition" in error["message"]


async def test_an_image_definition_is_for_images_like_the_source(
    service: Service, background: Background, definition: GalleryId
) -> None:
    async def find(template: Template, service: Service, /) -> Found:
        return Found(facts=facts)

    facts = ImageFacts(
        os_type=OsType.WINDOWS,
        os_name="Windows",
        generation=Generation.V2,
        size_bytes=1 << 30,
        provisioning=Provisioning.AZURE,
    )
    arm = arm_of(image_templates.routes(service, background, access_of(service), find=find))
    async with background.running(), asking(arm) as client:
        talk = Talk(client, background)
        fits = template(customize=[], distribute=[{**SHARED_IMAGE, "galleryImageId": str(definition)}])
        assert "osType" in (await talk.put(fits))["error"]["message"]
        shell_on_windows = await talk.put()
        assert "UnsupportedCustomizerType" in shell_on_windows["error"]["message"]
        error = (await talk.get())["properties"]["provisioningError"]
        assert error["provisioningErrorCode"] == "UnsupportedCustomizerType"


async def test_a_template_that_has_failed_is_mended_by_another_put(talk: Talk) -> None:
    assert (await talk.put(template(customize=[shell(scriptUri=f"{SITE}lost.sh")])))["status"] == "Failed"
    assert (await talk.put())["status"] == "Succeeded"
    assert "provisioningError" not in (await talk.get())["properties"]


async def test_an_identity_that_is_only_configured_will_do(talk: Talk, settings: Settings) -> None:
    configured = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/configured"
    document = {**SUBMITTED, "identity": {"type": "UserAssigned", "userAssignedIdentities": {configured: {}}}}
    assert (await talk.put(document))["status"] == "Failed"
    settings.identities[configured.upper()] = IdentitySettings()
    assert (await talk.put(document))["status"] == "Succeeded"


async def test_an_identity_of_another_subscription_is_refused_at_once(talk: Talk) -> None:
    foreign = IDENTITY.replace("11111111", "99999999")
    document = {**SUBMITTED, "identity": {"type": "UserAssigned", "userAssignedIdentities": {foreign: {}}}}
    answer = await talk("PUT", TEMPLATE, document, version="2020-02-14")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "LinkedAuthorizationFailed"
    await talk.put()
    assert (await talk("PATCH", TEMPLATE, {"identity": {**document["identity"]}})).status_code == 400
    swap: dict[str, Any] = {"identity": {"userAssignedIdentities": {IDENTITY: None, foreign: {}}}}
    assert (await talk("PATCH", TEMPLATE, swap)).status_code == 403


async def test_the_checksum_of_what_was_fetched_is_shown(talk: Talk) -> None:
    file = {"type": "File", "sourceUri": f"{SITE}setup.sh", "destination": "/tmp/setup.sh"}
    await talk.put(template(customize=[shell(), file, {"type": "Shell", "inline": ["true"]}]))
    steps = (await talk.get())["properties"]["customize"]
    assert [step.get("sha256Checksum") for step in steps] == [SETUP, SETUP, None]


async def test_a_staging_group_that_is_named_is_made_or_marked(talk: Talk, service: Service) -> None:
    own = GROUP.replace("/images", "/work")
    assert (await talk.put(template(stagingResourceGroup=own[1:])))["status"] == "Succeeded"
    shown = (await talk.get())["properties"]
    assert shown["stagingResourceGroup"] == own[1:]
    assert shown["exactStagingResourceGroup"] == own
    group = service.store.find(ids.parse(own))
    assert group is not None
    assert group.tags["createdBy"]
    taken = await talk.put(template(stagingResourceGroup=own), f"{TEMPLATE}-2")
    assert "the template web uses it" in taken["error"]["message"]
    assert (await talk("DELETE", TEMPLATE)).status_code == 202
    assert service.store.find(ids.parse(own)) is None


async def test_a_staging_group_that_was_there_stays(talk: Talk, service: Service) -> None:
    staging = f"{GROUP}-other"
    assert (await talk.put(template(stagingResourceGroup=staging)))["status"] == "Succeeded"
    group = service.store.find(ids.parse(staging))
    assert group is not None
    assert group.tags["imageTemplateName"] == "web"
    assert (await talk("DELETE", TEMPLATE)).status_code == 202
    group = service.store.find(ids.parse(staging))
    assert group is not None
    assert group.tags == {}


async def test_a_staging_group_whose_tags_look_like_the_services_own_stays(
    talk: Talk, service: Service
) -> None:
    staging = ids.parse(f"{GROUP}-other")
    service.store.update(staging, tags={"createdBy": "ada"})
    tags = {"createdBy": "AzureVMImageBuilder"}
    document = template(stagingResourceGroup=str(staging), managedResourceTags=tags)
    assert (await talk.put(document, version="2025-10-01"))["status"] == "Succeeded"
    assert (await talk("DELETE", TEMPLATE)).status_code == 202
    group = service.store.find(staging)
    assert group is not None
    assert group.tags == {"createdBy": "ada"}


async def test_what_was_open_when_the_service_ended_is_done_when_it_starts(service: Service) -> None:
    stopped, started = (Background(service.operations, service.events) for _ in range(2))
    async with asking(arm_of(image_templates.routes(service, stopped, access_of(service)))) as client:
        talk = Talk(client, stopped)  # it does nothing: as if the service had ended just now
        answer = await talk("PUT", TEMPLATE, SUBMITTED)
        assert (await talk.ended(answer))["status"] == "InProgress"
        for method, path in (("DELETE", TEMPLATE), ("POST", f"{TEMPLATE}/run")):
            refused = await talk(method, path)
            assert refused.status_code == 405
            assert "provisioningState: 'creating'" in refused.json()["error"]["message"]
    async with (
        asking(arm_of(image_templates.routes(service, started, access_of(service)))) as client,
        started.running(),
    ):
        talk = Talk(client, started)
        await started.idle()
        assert (await talk.ended(answer))["status"] == "Succeeded"
        assert (await talk.get())["properties"]["provisioningState"] == "Succeeded"


async def test_a_defect_leaves_no_template_half_made(service: Service, background: Background) -> None:
    async def find(template: Template, service: Service, /) -> Found:
        raise ZeroDivisionError

    arm = arm_of(image_templates.routes(service, background, access_of(service), find=find))
    async with background.running(), asking(arm) as client:
        talk = Talk(client, background)
        assert (await talk.put())["status"] == "Failed"
        failed = (await talk.get())["properties"]
        assert failed["provisioningError"]["provisioningErrorCode"] == "ServerError"
        assert (await talk("DELETE", TEMPLATE)).status_code == 202


async def test_the_exact_version_of_the_source_is_shown(service: Service, background: Background) -> None:
    async def find(template: Template, service: Service, /) -> Found:
        return Found(exact_version="12.0.20261101")

    arm = arm_of(image_templates.routes(service, background, access_of(service), find=find))
    async with background.running(), asking(arm) as client:
        talk = Talk(client, background)
        begun = await talk("PUT", TEMPLATE, SUBMITTED)
        assert begun.json()["properties"]["source"]["exactVersion"] == "latest"
        await background.idle()
        assert (await talk.get())["properties"]["source"]["exactVersion"] == "12.0.20261101"


async def test_templates_go_with_their_group(talk: Talk, service: Service) -> None:
    await talk.put()
    assert (await talk("POST", f"{TEMPLATE}/run")).status_code == 202
    staging = (await talk.get())["properties"]["exactStagingResourceGroup"]
    await image_templates.Deletion(service).remove_all(ids.parse(GROUP))
    assert (await talk("GET", TEMPLATE)).status_code == 404
    assert service.store.find(ids.parse(staging)) is None
    await talk.put()
    assert "lastRunStatus" not in (await talk.get())["properties"]
    assert service.store.find_all(kind=GROUP_TYPE, subscription=ids.parse(GROUP).subscription)


VNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/build"


async def test_a_subnet_that_is_not_configured_cannot_be_joined(talk: Talk, settings: Settings) -> None:
    body = template(vmProfile={"vnetConfig": {"subnetId": f"{VNET}/subnets/one"}})
    ended = await talk.put(body)
    assert ended["status"] == "Failed"
    assert ended["error"]["code"] == "Unauthorized"
    assert ended["error"]["message"].startswith(
        f"Not authorized to access the resource: {VNET}. Please check the user assigned identity has the "
        "correct permissions. For more details, go to https://aka.ms/azvmimagebuilderts."
    )
    assert "[networks]" in ended["error"]["message"]
    error = (await talk.get())["properties"]["provisioningError"]
    assert error == {"provisioningErrorCode": "Other", "message": ended["error"]["message"]}
    settings.networks[f"{VNET}/subnets/ONE"] = "user"
    assert (await talk.put(body))["status"] == "Succeeded"


async def test_a_subnet_by_its_names_is_looked_for_in_the_templates_subscription(talk: Talk) -> None:
    names = {"name": "build", "subnetName": "one", "resourceGroupName": "images"}
    body = template(vmProfile={"vnetConfig": names})
    ended = await talk.put(body, version="2019-05-01-preview")
    assert f"access the resource: {VNET}." in ended["error"]["message"]
