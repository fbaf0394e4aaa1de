"""Deployments make what the one who deploys may make, by the roles that they have."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from tests.component.arm.asking import SOMEBODY, asking
from tests.component.arm.deployments.standing import Sources, assembled
from tests.component.arm.deployments.talking import (
    CONTRIBUTOR,
    DEPLOYMENT,
    DEPLOYMENTS,
    IDENTITIES,
    Talk,
    body,
    identity,
    template,
)
from vmwright.arm.access.access import Access
from vmwright.arm.access.gate import RoleGate
from vmwright.arm.access.principal import Principal
from vmwright.arm.service import Service

ROLE = {
    "type": "Microsoft.Authorization/roleAssignments",
    "apiVersion": "2022-04-01",
    "name": "[guid('builder')]",
    "properties": {
        "roleDefinitionId": (
            f"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{CONTRIBUTOR}')]"
        ),
        "principalId": f"[reference(resourceId('{IDENTITIES}', 'builder')).principalId]",
    },
}


class Known:
    """Everybody is the same one, with a role."""

    def __init__(self, role: str) -> None:
        self._principal = Principal(id=SOMEBODY.id, name="somebody", roles=(role,))

    async def principal_of(self, authorization: str) -> Principal:
        return self._principal


@contextlib.asynccontextmanager
async def talking(role: str, service: Service, access: Access) -> AsyncIterator[Talk]:
    one = assembled(service, access, Sources(), RoleGate(Known(role), access.decisions))
    async with one.background.running(), one.deploying.running(), asking(one.arm) as client:
        yield Talk(client, one.deploying)


async def test_owner_deploys_identities_with_their_roles(service: Service, access: Access) -> None:
    async with talking("Owner", service, access) as talk:
        deployment = await talk.deploy(body(template(identity(), ROLE)))
    assert deployment["properties"]["provisioningState"] == "Succeeded", deployment


async def test_contributor_is_told_beforehand_that_roles_are_not_theirs_to_give(
    service: Service, access: Access
) -> None:
    async with talking("Contributor", service, access) as talk:
        error = await talk.refused(body(template(identity(), ROLE)), DEPLOYMENT)
        (detail,) = error["details"]
        assert detail["code"] == "AuthorizationFailed"
        assert "'Microsoft.Authorization/roleAssignments/write'" in detail["message"]
        deployment = await talk.deploy(body(template(identity())))
    assert deployment["properties"]["provisioningState"] == "Succeeded", deployment


async def test_reader_sees_deployments_and_makes_none(service: Service, access: Access) -> None:
    async with talking("Reader", service, access) as talk:
        assert (await talk.refused(body(template(identity())), DEPLOYMENT))["code"] == "AuthorizationFailed"
        assert (await talk.refused(body(template(identity()))))["code"] == "AuthorizationFailed"
        assert (await talk("GET", DEPLOYMENTS)).json() == {"value": []}
