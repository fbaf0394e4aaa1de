from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.arm.image_templates.kept import resource_of
from vmwright.arm.ids import ResourceId
from vmwright.arm.providers.image_templates import bodies, shapes, staging
from vmwright.arm.providers.image_templates.names import NAMESPACE, TEMPLATES
from vmwright.arm.providers.image_templates.states import ProvisioningState
from vmwright.template import read

GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/images"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
VERSION = f"{GROUP}/providers/Microsoft.Compute/galleries/ours/images/web/versions"


def sent(**properties: Any) -> dict[str, Any]:
    return {
        "location": "westus",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        "properties": {
            "source": {"type": "SharedImageVersion", "imageVersionId": f"{VERSION}/latest"},
            "distribute": [{"type": "VHD", "runOutputName": "disk"}],
            **properties,
        },
    }


def shown(body: dict[str, Any], *, version: str, as_of: str = "") -> dict[str, Any]:
    checked = bodies.read_sent(body, version=version, name="web")
    kept = shapes.kept(checked, ProvisioningState.CREATING)
    properties: dict[str, Any] = shapes.shown(
        resource_of(kept, name="web", version=version), as_of or version, None
    )["properties"]
    return properties


def test_what_is_filled_in() -> None:
    steps = [
        {"type": "PowerShell", "inline": ["a"], "validExitCodes": [], "sha256Checksum": ""},
        {"type": "WindowsRestart"},
    ]
    image = {"type": "SharedImage", "runOutputName": "i", "galleryImageId": VERSION.removesuffix("/versions")}
    found = shown(
        sent(
            customize=steps,
            distribute=[image],
            vmProfile={"vnetConfig": {}},
            validate={"inVMValidations": []},
            errorHandling={"onCustomizerError": "abort"},
            optimize={"vmBoot": {"state": "Disabled"}},
        ),
        version="2023-07-01",
    )
    assert found == {
        "source": {
            "type": "SharedImageVersion",
            "imageVersionId": f"{VERSION}/latest",
            "exactVersion": f"{VERSION}/latest",
        },
        "customize": [
            {"type": "PowerShell", "inline": ["a"], "runElevated": False, "runAsSystem": False},
            {"type": "WindowsRestart", "restartCommand": ""},
        ],
        "distribute": [{**image, "artifactTags": {}, "excludeFromLatest": False, "versioning": None}],
        "vmProfile": {"vmSize": "", "osDiskSizeGB": 0, "vnetConfig": {"proxyVmSize": ""}},
        "validate": {},
        "errorHandling": {"onCustomizerError": "abort", "onValidationError": "cleanup"},
        "optimize": {"vmBoot": {"state": "Disabled"}},
        "buildTimeoutInMinutes": 0,
        "provisioningState": "Creating",
        "stagingResourceGroup": "",
        "exactStagingResourceGroup": "",
    }


def test_an_api_version_shows_what_it_has() -> None:
    body = sent(autoRun={"state": "Disabled"}, additionalDataDisks=[{"sizeGB": 4}])
    assert shown(body, version="2025-10-01")["additionalDataDisks"] == [{"sizeGB": 4}]
    older = shown(body, version="2025-10-01", as_of="2021-10-01")
    assert set(older) == {"source", "distribute", "buildTimeoutInMinutes", "provisioningState"}
    assert older["source"] == {"type": "SharedImageVersion", "imageVersionId": f"{VERSION}/latest"}


def test_spellings_of_documents_are_shown_as_the_contract_has_them() -> None:
    body = sent(customize=[{"type": "shell", "Inline": "echo hello"}], BuildTimeoutInMinutes="60")
    found = shown(body, version="2020-02-14")
    assert found["customize"] == [{"type": "Shell", "inline": ["echo hello"]}]
    assert found["buildTimeoutInMinutes"] == 60


def test_a_versioning_scheme_is_shown() -> None:
    image = {
        "type": "SharedImage",
        "runOutputName": "i",
        "galleryImageId": VERSION.removesuffix("/versions"),
        "replicationRegions": ["West US"],
        "versioning": {"scheme": "Latest", "major": 2},
    }
    found = shown(sent(distribute=[image]), version="2022-07-01")
    assert found["distribute"][0]["versioning"] == {"scheme": "Latest", "major": 2}
    assert found["distribute"][0]["replicationRegions"] == ["West US"]


@pytest.mark.parametrize("version", ["2020-02-14", "2022-07-01", "2025-10-01"])
def test_what_is_kept_is_read_as_what_was_sent(version: str) -> None:
    body = sent(
        customize=[{"type": "Shell", "name": "a", "inline": ["true"]}, {"type": "Shell", "inline": ["x"]}],
        vmProfile={"vmSize": "Standard_D2_v2"},
        buildTimeoutInMinutes=30,
    )
    body["properties"]["source"]["imageVersionId"] = f"{VERSION}/1.0.0"
    checked = bodies.read_sent(body, version=version, name="web")
    resource = resource_of(shapes.kept(checked, ProvisioningState.SUCCEEDED), name="web", version=version)
    again, unsupported = bodies.read_kept(shapes.body_of(resource), version=version, name="web")
    first = read(json.dumps(body).encode(), api_version=version, name="web").template
    assert again == first
    assert not unsupported


def test_a_staging_group_has_forty_characters_of_the_names() -> None:
    owner = ResourceId("s", "cli_test_image_builder_template_error_ha000", NAMESPACE, (TEMPLATES,), ("tmp",))
    made = staging.group_name(owner, "ae83")
    assert made == "IT_cli_test_image_builder_template_error_ha_ae83"
