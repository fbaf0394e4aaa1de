"""What a template names of others: its writer must be allowed to use it, or its identity must be."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.component.arm.abuse.conftest import BUILDER_VERSION, CONFIGURED, House, Somebody
from vmwright.arm.access.roles import CONTRIBUTOR, MANAGED_IDENTITY_OPERATOR, READER

VERSION = BUILDER_VERSION
COMPUTE = "providers/Microsoft.Compute"
ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
BARE: dict[str, Any] = {
    "location": "westus",
    "identity": {"type": "None"},
    "properties": {
        "source": {"type": "PlatformImage", "publisher": "p", "offer": "o", "sku": "s", "version": "1.0.0"},
        "distribute": [{"type": "VHD", "runOutputName": "disk"}],
    },
}


def template(identity: str = "", **properties: Any) -> dict[str, Any]:
    document = copy.deepcopy(BARE)
    document["properties"].update(properties)
    if identity:
        document["identity"] = identified(identity)
    return document


def identified(identity: str) -> dict[str, Any]:
    return {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}


def path_in(group: str) -> str:
    return f"{group}/providers/Microsoft.VirtualMachineImages/imageTemplates/web"


async def put(somebody: Somebody, group: str, document: dict[str, Any]) -> int:
    return (await somebody.ask("PUT", path_in(group), document, version=VERSION)).status_code


async def settled(house: House) -> None:
    await house.assembled.background.idle()


async def test_an_identity_of_a_group_where_its_writer_has_no_role_is_refused(house: House) -> None:
    identity, _ = await house.identity(house.b)
    writer = await house.with_role(CONTRIBUTOR, house.a)
    error = await writer.refused("PUT", path_in(house.a), template(identity), version=VERSION)
    assert error == {
        "code": "LinkedAuthorizationFailed",
        "message": f"The client '{writer.name}' with object id '{writer.id}' has permission to perform "
        f"action 'Microsoft.VirtualMachineImages/imageTemplates/write' on scope '{path_in(house.a)}'; "
        f"however, it does not have permission to perform action(s) '{ASSIGN}' on the linked scope(s) "
        f"'{identity}' (respectively) or the linked scope(s) are invalid.",
    }
    gone = await house.owner.ask("GET", path_in(house.a), version=VERSION)
    assert gone.status_code == 404


@pytest.mark.parametrize("role", [CONTRIBUTOR, MANAGED_IDENTITY_OPERATOR])
async def test_who_may_assign_an_identity_gives_it_to_templates(house: House, role: Any) -> None:
    identity, _ = await house.identity(house.b)
    writer = await house.with_role(CONTRIBUTOR, house.a)
    await house.give(role, identity, writer.id)
    assert await put(writer, house.a, template(identity)) == 201
    assert (await writer.ask("GET", identity)).status_code == 200


async def test_a_reader_of_an_identity_does_not_give_it_away(house: House) -> None:
    identity, _ = await house.identity(house.b)
    writer = await house.with_role(CONTRIBUTOR, house.a)
    await house.give(READER, identity, writer.id)
    assert await put(writer, house.a, template(identity)) == 403


async def test_an_identity_of_the_build_machine_is_checked_likewise(house: House) -> None:
    identity, _ = await house.identity(house.b)
    writer = await house.with_role(CONTRIBUTOR, house.a)
    document = template(vmProfile={"userAssignedIdentities": [identity]})
    assert await put(writer, house.a, document) == 403


async def test_a_patch_brings_in_nothing_that_its_sender_may_not_use(house: House) -> None:
    identity, _ = await house.identity(house.b)
    writer = await house.with_role(CONTRIBUTOR, house.a)
    assert await put(writer, house.a, BARE) == 201
    await settled(house)
    gallery = {
        "type": "SharedImage",
        "runOutputName": "web",
        "galleryImageId": f"{house.b}/{COMPUTE}/galleries/g/images/web",
        "targetRegions": [{"name": "westus"}],
    }
    for patch in (
        {"identity": identified(identity)},
        {"properties": {"vmProfile": {"userAssignedIdentities": [identity]}}},
        {"properties": {"distribute": [*BARE["properties"]["distribute"], gallery]}},
    ):
        error = await writer.refused("PATCH", path_in(house.a), patch, version=VERSION)
        assert error["code"] == "LinkedAuthorizationFailed"
    kept = (await house.owner.ask("GET", path_in(house.a), version=VERSION)).json()
    assert kept["identity"] == {"type": "None"}
    assert len(kept["properties"]["distribute"]) == 1


async def test_a_patch_of_something_else_leaves_what_others_have_given(house: House) -> None:
    identity, _ = await house.identity(house.b)
    assert await put(house.owner, house.a, template(identity)) == 201
    await settled(house)
    writer = await house.with_role(CONTRIBUTOR, house.a)
    patched = await writer.ask("PATCH", path_in(house.a), {"tags": {"team": "web"}}, version=VERSION)
    assert patched.status_code == 202, patched.text
    # as a whole it is written by who may use all of it
    assert await put(writer, house.a, template(identity)) == 403


def elsewhere(group: str) -> dict[str, dict[str, Any]]:
    """What a template can name of another group, and the action that it is."""
    version = f"{group}/{COMPUTE}/galleries/g/images/web/versions/1.0.0"
    disk = BARE["properties"]["distribute"]
    return {
        "Microsoft.Compute/images/read": {
            "source": {"type": "ManagedImage", "imageId": f"{group}/{COMPUTE}/images/web"}
        },
        "Microsoft.Compute/galleries/images/versions/read": {
            "source": {"type": "SharedImageVersion", "imageVersionId": version}
        },
        "Microsoft.Compute/images/write": {
            "distribute": [
                *disk,
                {
                    "type": "ManagedImage",
                    "runOutputName": "web",
                    "imageId": f"{group}/{COMPUTE}/images/web",
                    "location": "westus",
                },
            ]
        },
        "Microsoft.Compute/galleries/images/versions/write": {
            "distribute": [
                {
                    "type": "SharedImage",
                    "runOutputName": "web",
                    "galleryImageId": version,
                    "targetRegions": [{"name": "westus"}],
                }
            ]
        },
        "Microsoft.Network/virtualNetworks/subnets/join/action": {
            "vmProfile": {
                "vnetConfig": {
                    "subnetId": f"{group}/providers/Microsoft.Network/virtualNetworks/n/subnets/default"
                }
            }
        },
        "Microsoft.Resources/subscriptions/resourceGroups/write": {"stagingResourceGroup": group[1:]},
    }


@pytest.mark.parametrize("action", elsewhere(""))
async def test_images_galleries_networks_and_groups_of_others_are_refused(house: House, action: str) -> None:
    document = template(**elsewhere(house.b)[action])
    writer = await house.with_role(CONTRIBUTOR, house.a)
    error = await writer.refused("PUT", path_in(house.a), document, version=VERSION)
    assert error["code"] == "LinkedAuthorizationFailed"
    assert f"action(s) '{action}' on the linked scope(s) '{house.b}" in error["message"]
    # the same of a group of one's own is a template
    assert await put(writer, house.a, template(**elsewhere(house.a)[action])) == 201


async def test_the_templates_identity_may_do_what_its_writer_may_not(house: House) -> None:
    identity, principal = await house.identity(house.a)
    await house.give(CONTRIBUTOR, house.b, principal)
    writer = await house.with_role(CONTRIBUTOR, house.a)
    for properties in elsewhere(house.b).values():
        assert await put(writer, house.a, template(**properties)) == 403
        assert await put(writer, house.a, template(identity, **properties)) in {200, 201}
        await settled(house)


async def test_a_configured_identity_is_not_for_who_has_a_role_somewhere_else(house: House) -> None:
    """It stands for credentials of the operator's, whatever subscription its id names."""
    writer = await house.with_role(CONTRIBUTOR, house.subscription)
    error = await writer.refused("PUT", path_in(house.a), template(CONFIGURED), version=VERSION)
    assert f"action(s) '{ASSIGN}' on the linked scope(s) '{CONFIGURED}'" in error["message"]
    assert await put(house.owner, house.a, template(CONFIGURED)) == 201
    unknown = CONFIGURED.replace("real", "other")
    error = await house.owner.refused("PUT", path_in(house.a), template(unknown), version=VERSION)
    assert "is not authorized to access linked subscription" in error["message"]
