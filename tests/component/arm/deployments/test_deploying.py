"""Deployments, from the PUT to their end."""

from __future__ import annotations

import json
from typing import Any

from tests.component.arm.asking import SUBSCRIPTION, asking
from tests.component.arm.deployments.standing import Sources, assembled
from tests.component.arm.deployments.talking import (
    CONTRIBUTOR,
    DEPLOYMENT,
    DEPLOYMENTS,
    GROUP,
    IDENTITIES,
    TEMPLATES,
    Gate,
    Talk,
    body,
    identity,
    image_template,
    states,
    template,
)
from vmwright.arm import ids
from vmwright.arm.access.access import Access
from vmwright.arm.providers.image_templates.faults import ProvisioningError
from vmwright.arm.service import Service


async def test_deployment_makes_what_its_template_says_and_tells_how_it_went(talk: Talk) -> None:
    answer = await talk("PUT", DEPLOYMENT, body(template(image_template(), identity())))
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Accepted"
    assert "/deployments/first/operationStatuses/" in answer.headers["Azure-AsyncOperation"]
    assert answer.headers["Retry-After"] == "1"
    await talk.deploying.idle()

    assert await talk.polled(answer) == {"status": "Succeeded"}
    deployment = await talk.get()
    properties = deployment["properties"]
    assert properties["provisioningState"] == "Succeeded"
    made = [f"{GROUP}/providers/{IDENTITIES}/builder", f"{GROUP}/providers/{TEMPLATES}/web"]
    assert [one["id"] for one in properties["outputResources"]] == made  # in the order of their making
    assert properties["dependencies"] == [
        {
            "dependsOn": [{"id": made[0], "resourceType": IDENTITIES, "resourceName": "builder"}],
            "id": made[1],
            "resourceType": TEMPLATES,
            "resourceName": "web",
        }
    ]
    assert {one["namespace"] for one in properties["providers"]} == {
        "Microsoft.ManagedIdentity",
        "Microsoft.VirtualMachineImages",
    }
    web = (await talk.client.get(f"{made[1]}?api-version=2022-02-14")).json()
    assert web["properties"]["provisioningState"] == "Succeeded"
    operations = (await talk("GET", f"{DEPLOYMENT}/operations")).json()["value"]
    assert states(operations) == {"builder": "Succeeded", "web": "Succeeded"}
    one = (await talk("GET", f"{DEPLOYMENT}/operations/{operations[0]['operationId']}")).json()
    assert one == operations[0]


async def test_values_of_what_was_just_made_reach_later_resources_and_outputs(talk: Talk) -> None:
    principal = f"reference(resourceId('{IDENTITIES}', 'builder'), '2023-01-31').principalId"
    role = {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": "[guid(resourceGroup().id, 'builder')]",
        "properties": {
            "roleDefinitionId": (
                f"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{CONTRIBUTOR}')]"
            ),
            "principalId": f"[{principal}]",
            "principalType": "ServicePrincipal",
        },
    }
    outputs = {
        "principal": {"type": "string", "value": f"[{principal}]"},
        "team": {"type": "string", "value": "[resourceGroup().tags.team]"},
    }
    deployment = await talk.deploy(body(template(role, identity(), outputs=outputs)))
    made = (await talk.client.get(f"{GROUP}/providers/{IDENTITIES}/builder?api-version=2023-01-31")).json()
    principal_id = made["properties"]["principalId"]
    assert deployment["properties"]["outputs"] == {
        "principal": {"type": "String", "value": principal_id},
        "team": {"type": "String", "value": "images"},
    }
    roles = (await talk("GET", f"{GROUP}/providers/Microsoft.Authorization/roleAssignments")).json()["value"]
    assert [one["properties"]["principalId"] for one in roles] == [principal_id]


async def test_resource_that_was_there_before_is_referred_to(talk: Talk) -> None:
    await talk.deploy(body(template(identity())))
    outputs = {
        "client": {
            "type": "string",
            "value": f"[reference(resourceId('{IDENTITIES}', 'builder'), '2023-01-31', 'Full').location]",
        }
    }
    deployment = await talk.deploy(body(template(outputs=outputs)), f"{DEPLOYMENTS}/second")
    assert deployment["properties"]["outputs"]["client"]["value"] == "westus"


async def test_secret_parameters_are_not_shown_and_not_kept(talk: Talk, service: Service) -> None:
    parameters = {
        "password": {"type": "securestring"},
        "count": {"type": "int", "defaultValue": 2},
    }
    outputs = {"same": {"type": "securestring", "value": "[parameters('password')]"}}
    of = template(identity(), parameters=parameters, outputs=outputs)
    deployment = await talk.deploy(body(of, password="hunter2"))
    assert deployment["properties"]["parameters"] == {
        "password": {"type": "SecureString"},
        "count": {"type": "Int", "value": 2},
    }
    assert deployment["properties"]["outputs"] == {"same": {"type": "SecureString"}}
    kept = service.store.find(ids.parse(DEPLOYMENT))
    assert kept is not None
    assert "hunter2" not in str(kept.body)


async def test_secrets_are_in_no_error_and_no_comparison(talk: Talk) -> None:
    secret = {"parameters": {"secret": {"type": "securestring"}}}
    wrong = identity("[concat('x', parameters('secret'))]", location="[parameters('secret')]")
    deployment = await talk.deploy(body(template(wrong, **secret), secret="hunter2"))
    assert deployment["properties"]["error"]["details"][0]["code"] == "LocationNotAvailableForResourceType"
    tagged = identity(tags={"is": "[parameters('secret')]"})
    compared = await talk("POST", f"{DEPLOYMENT}/whatIf", body(template(tagged, **secret), secret="hunter2"))
    shown = [
        json.dumps(deployment["properties"]["error"]),
        (await talk("GET", f"{DEPLOYMENT}/operations")).json()["value"][0]["properties"]["statusMessage"],
        (await talk.client.get(compared.headers["Location"])).json(),
    ]
    assert all("******" in str(one) and "hunter2" not in str(one) for one in shown), shown


async def test_failed_resource_fails_the_deployment_with_the_cause(talk: Talk, sources: Sources) -> None:
    sources.wrong = ProvisioningError("BadPIRSource", "there is no such image")
    after = identity("later", dependsOn=[f"[resourceId('{TEMPLATES}', 'web')]"])
    answer = await talk("PUT", DEPLOYMENT, body(template(image_template(), identity(), after)))
    await talk.deploying.idle()
    error = (await talk.get())["properties"]["error"]
    assert error["code"] == "DeploymentFailed"
    assert error["message"].startswith("At least one resource deployment operation failed.")
    (detail,) = error["details"]
    assert detail["code"] == "ResourceDeploymentFailure"
    assert detail["target"] == f"{GROUP}/providers/{TEMPLATES}/web"
    assert "there is no such image" in detail["details"][0]["message"]
    polled = await talk.polled(answer)
    assert (polled["status"], polled["error"]) == ("Failed", error)
    operations = (await talk("GET", f"{DEPLOYMENT}/operations")).json()["value"]
    assert states(operations) == {"builder": "Succeeded", "web": "Failed"}  # what needs it is not begun
    failed = next(one for one in operations if one["properties"]["provisioningState"] == "Failed")
    assert failed["properties"]["statusMessage"]["error"] == detail


async def test_nested_deployments_are_deployments_with_outputs_of_their_own(talk: Talk) -> None:
    inner = template(
        identity("[parameters('name')]"),
        parameters={"name": {"type": "string"}},
        outputs={
            "id": {
                "type": "string",
                "value": f"[reference(resourceId('{IDENTITIES}', parameters('name'))).clientId]",
            }
        },
    )
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inner",
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"name": {"value": "inside"}},
            "template": inner,
        },
    }
    outputs = {"id": {"type": "string", "value": "[reference('inner').outputs.id.value]"}}
    deployment = await talk.deploy(body(template(nested, outputs=outputs)))
    made = (await talk.client.get(f"{GROUP}/providers/{IDENTITIES}/inside?api-version=2023-01-31")).json()
    assert deployment["properties"]["outputs"]["id"]["value"] == made["properties"]["clientId"]
    own = await talk.get(f"{DEPLOYMENTS}/inner")
    assert own["properties"]["provisioningState"] == "Succeeded"
    assert own["properties"]["outputs"] == deployment["properties"]["outputs"]
    operations = (await talk("GET", f"{DEPLOYMENTS}/inner/operations")).json()["value"]
    assert states(operations) == {"inside": "Succeeded"}
    above = (await talk("GET", f"{DEPLOYMENT}/operations")).json()["value"]
    assert states(above) == {"inner": "Succeeded"}
    exported = (await talk("POST", f"{DEPLOYMENTS}/inner/exportTemplate")).json()
    assert exported == {"template": inner}


async def test_nested_deployments_fail_with_what_is_in_them_and_are_not_begun_after_failures(
    talk: Talk, gate: Gate
) -> None:
    def nested(name: str, *needs: str) -> dict[str, Any]:
        return {
            "type": "Microsoft.Resources/deployments",
            "apiVersion": "2022-09-01",
            "name": name,
            "dependsOn": [f"[resourceId('Microsoft.Resources/deployments', '{one}')]" for one in needs],
            "properties": {"mode": "Incremental", "template": template(identity(f"in-{name}"))},
        }

    gate.refused = [("GET", "userAssignedIdentities/in-one")]
    deployment = await talk.deploy(body(template(nested("one"), nested("after", "one"))))
    (error,) = deployment["properties"]["error"]["details"]
    assert (error["code"], error["target"]) == ("DeploymentFailed", f"{DEPLOYMENTS}/one")
    assert error["details"][0]["code"] == "AuthorizationFailed"
    assert (await talk.get(f"{DEPLOYMENTS}/one"))["properties"]["error"] == error
    assert (await talk("HEAD", f"{DEPLOYMENTS}/after")).status_code == 404
    operations = (await talk("GET", f"{DEPLOYMENT}/operations")).json()["value"]
    assert states(operations) == {"one": "Failed"}


async def test_deployment_to_the_subscription_makes_groups_and_what_is_in_them(talk: Talk) -> None:
    schema = "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"
    group = {
        "type": "Microsoft.Resources/resourceGroups",
        "apiVersion": "2021-04-01",
        "name": "more",
        "location": "westus2",
        "tags": {"of": "ours"},
    }
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inside",
        "resourceGroup": "more",
        "dependsOn": ["[resourceId('Microsoft.Resources/resourceGroups', 'more')]"],
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "template": template(identity()),
        },
    }
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/deployments/all"
    sent = {**body({**template(group, nested), "$schema": schema}), "location": "eastus"}
    deployment = await talk.deploy(sent, path)
    assert deployment["properties"]["provisioningState"] == "Succeeded", deployment
    more = GROUP.replace("images", "more")
    made = (await talk.client.get(f"{more}/providers/{IDENTITIES}/builder?api-version=2023-01-31")).json()
    assert made["location"] == "westus2"
    listed = (await talk("GET", path.rpartition("/")[0])).json()["value"]
    assert [one["name"] for one in listed] == ["all"]
    of_group = (await talk("GET", f"{more}/providers/Microsoft.Resources/deployments")).json()["value"]
    assert [one["name"] for one in of_group] == ["inside"]


async def test_deployment_goes_on_where_the_service_was_ended(
    service: Service, access: Access, sources: Sources, gate: Gate
) -> None:
    sources.open.clear()
    first = assembled(service, access, sources, gate)
    async with asking(first.arm) as client, first.background.running(), first.deploying.running():
        talk = Talk(client, first.deploying)
        last = identity("last", dependsOn=[f"[resourceId('{TEMPLATES}', 'web')]"])
        assert (await talk("PUT", DEPLOYMENT, body(template(image_template(), identity(), last)))).is_success
        await sources.reached.wait()
    sources.open.set()
    second = assembled(service, access, sources, gate)
    async with second.background.running(), second.deploying.running(), asking(second.arm) as client:
        talk = Talk(client, second.deploying)
        await second.deploying.idle()
        deployment = await talk.get()
        operations = (await talk("GET", f"{DEPLOYMENT}/operations")).json()["value"]
    assert deployment["properties"]["provisioningState"] == "Succeeded", deployment
    assert states(operations) == {"builder": "Succeeded", "web": "Succeeded", "last": "Succeeded"}


async def test_resource_whose_write_was_not_noted_is_written_again_when_it_rests(
    service: Service, access: Access, sources: Sources, gate: Gate
) -> None:
    sources.open.clear()
    first = assembled(service, access, sources, gate)
    async with asking(first.arm) as client, first.background.running(), first.deploying.running():
        talk = Talk(client, first.deploying)
        assert (await talk("PUT", DEPLOYMENT, body(template(image_template(), identity())))).is_success
        await sources.reached.wait()
    for one in service.store.children(ids.parse(DEPLOYMENT)):
        service.store.update(ids.parse(one.id), body={**one.body, "poll": ""})
    sources.open.set()
    second = assembled(service, access, sources, gate)
    async with second.background.running(), second.deploying.running(), asking(second.arm) as client:
        await second.deploying.idle()
        deployment = await Talk(client, second.deploying).get()
    assert deployment["properties"]["provisioningState"] == "Succeeded", deployment


async def test_cancelled_deployment_makes_nothing_more(talk: Talk, sources: Sources) -> None:
    sources.open.clear()
    last = identity("last", dependsOn=[f"[resourceId('{TEMPLATES}', 'web')]"])
    answer = await talk("PUT", DEPLOYMENT, body(template(image_template(), identity(), last)))
    await sources.reached.wait()
    again = await talk("PUT", DEPLOYMENT, body(template(identity())))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "DeploymentActive")
    assert (await talk("DELETE", DEPLOYMENT)).status_code == 409
    assert (await talk("POST", f"{DEPLOYMENT}/cancel")).status_code == 204
    sources.open.set()
    await talk.deploying.idle()
    assert (await talk.get())["properties"]["provisioningState"] == "Canceled"
    assert (await talk.polled(answer))["status"] == "Canceled"
    gone = await talk.client.get(f"{GROUP}/providers/{IDENTITIES}/last?api-version=2023-01-31")
    assert gone.status_code == 404
    assert (await talk("POST", f"{DEPLOYMENT}/cancel")).status_code == 409


async def test_deployments_are_listed_checked_for_exported_and_deleted(talk: Talk) -> None:
    of = template(identity())
    await talk.deploy(body(of))
    await talk.deploy(body(of), f"{DEPLOYMENTS}/second")
    listed = (await talk("GET", f"{DEPLOYMENTS}/")).json()["value"]
    assert [one["name"] for one in listed] == ["first", "second"]
    assert len({one["properties"]["templateHash"] for one in listed}) == 1
    none = (await talk("GET", f"{DEPLOYMENTS}?$filter=provisioningState eq 'Failed'")).json()["value"]
    assert none == []
    assert len((await talk("GET", f"{DEPLOYMENTS}?$top=1")).json()["value"]) == 1
    assert (await talk("HEAD", DEPLOYMENT)).status_code == 204
    assert (await talk("POST", f"{DEPLOYMENT}/exportTemplate")).json() == {"template": of}
    short = (await talk("GET", f"{GROUP}/deployments/first/operations")).json()["value"]
    assert states(short) == {"builder": "Succeeded"}
    resources = (await talk("GET", f"{GROUP}/resources")).json()["value"]
    assert [one["name"] for one in resources] == ["builder"]
    assert (await talk("DELETE", DEPLOYMENT)).status_code == 204
    assert (await talk("HEAD", DEPLOYMENT)).status_code == 404
    missing = await talk("GET", DEPLOYMENT)
    assert missing.json()["error"]["code"] == "DeploymentNotFound"
    assert (await talk("DELETE", DEPLOYMENT)).status_code == 204


async def test_deployment_of_the_same_name_replaces_the_one_before(talk: Talk) -> None:
    await talk.deploy(body(template(identity())))
    answer = await talk("PUT", DEPLOYMENT, body(template(identity("other"))))
    assert answer.status_code == 200
    await talk.deploying.idle()
    operations = (await talk("GET", f"{DEPLOYMENT}/operations")).json()["value"]
    assert states(operations) == {"other": "Succeeded"}


async def test_each_resource_is_made_as_the_one_who_deploys(talk: Talk, gate: Gate) -> None:
    gate.refused = [("PUT", "userAssignedIdentities/secret")]
    error = await talk.refused(body(template(identity("secret"))))
    assert error["code"] == "InvalidTemplateDeployment"
    assert [one["code"] for one in error["details"]] == ["AuthorizationFailed"]
    gate.refused = [("GET", "userAssignedIdentities/secret")]
    deployment = await talk.deploy(body(template(identity("secret"))))
    (cause,) = deployment["properties"]["error"]["details"]
    assert (cause["code"], cause["target"]) == (
        "AuthorizationFailed",
        f"{GROUP}/providers/{IDENTITIES}/secret",
    )
