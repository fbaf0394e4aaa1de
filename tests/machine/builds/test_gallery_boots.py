"""Chains of images: galleries from galleries, managed images into galleries, and ARM templates of both."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED
from tests.vmwright_command import SOURCE, Vmwright, shell

pytestmark = [pytest.mark.machine, pytest.mark.emulated, pytest.mark.slow]

TEMPLATES = SHARED / "templates"
GALLERY = "qs_az_1_Creating_a_Custom_Linux_Shared_Image_Gallery_Image_helloImageTemplateforSIG.json"
FROM_GALLERY = (
    "qs_az_2_Creating_a_Custom_Linux_Shared_Image_Gallery_Image_from_SIG_helloImageTemplateforSIGfrom.json"
)
INTO_GALLERY = (
    "qs_az_dep_3_Customize_a_Managed_Image_and_Import_into_SIG_helloImageTemplateforReCustomization.json"
)
NEEDS_TEMPLATES = pytest.mark.skipif(
    not TEMPLATES.exists(), reason="the public quickstarts are not beside the project: ../shared/templates"
)
SERVE = (
    "sudo apt-get update -q",
    "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nginx",
    "ls -d /buildArtifacts* | sudo tee /var/www/html/index.html",
    "sudo rm -rf /var/lib/apt/lists/*",
)
IMAGES = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/vmwright/providers/Microsoft.Compute"
)


def versions_of(vmwright: Vmwright, definition: str) -> list[dict[str, Any]]:
    """The versions of a definition, the newest first."""
    return [image for image in vmwright.json("images") if f"/images/{definition}/versions/" in image["id"]]


def build(vmwright: Vmwright, *arguments: str | Path) -> None:
    built = vmwright("build", *arguments)
    assert built.code == 0, built.out + built.err


def with_right_sum(template: Path, folder: Path, script: Path) -> Path:
    """The quickstart with the checksum that its second script has in the mirror."""
    document = json.loads(template.read_text())
    document["properties"]["customize"][1]["sha256Checksum"] = hashlib.sha256(script.read_bytes()).hexdigest()
    mended = folder / "gallery.json"
    mended.write_text(json.dumps(document))
    return mended


def with_step(template: Path, folder: Path, step: dict[str, object]) -> Path:
    """A quickstart with one more step at its end."""
    document = json.loads(template.read_text())
    document["properties"]["customize"].append(step)
    longer = folder / "longer.json"
    longer.write_text(json.dumps(document))
    return longer


@NEEDS_TEMPLATES
def test_the_gallery_quickstarts_build_on_each_other_and_boot(
    vmwright: Vmwright, tmp_path: Path, second_script: Path
) -> None:
    names = ("--set", "imageDefName=hello", "--set", "sharedImageGalName=quickstarts")
    build(vmwright, with_right_sum(TEMPLATES / GALLERY, tmp_path, second_script), *names)
    first = versions_of(vmwright, "hello")
    assert [region["name"] for region in first[0]["properties"]["publishingProfile"]["targetRegions"]] == [
        "West US 2",
        "East US",
    ]
    assert first[0]["tags"]["baseosimg"] == "ubuntu2004"

    chained = with_step(TEMPLATES / FROM_GALLERY, tmp_path, shell(*SERVE, name="Serve"))
    build(vmwright, chained, *names, "--set", f"sigDefImgVersionId={first[0]['id']}")
    second = versions_of(vmwright, "hello")
    assert len(second) == len(first) + 1
    booted = vmwright("boot", second[0]["id"], "--page", "/")
    assert booted.code == 0, booted.err
    assert booted.out.endswith("/buildArtifacts\n/buildArtifacts3\n")


@NEEDS_TEMPLATES
def test_a_managed_image_goes_into_a_gallery_and_on_from_its_latest_version(
    vmwright: Vmwright, tmp_path: Path
) -> None:
    """The whole chain is one ARM template with parameters, but for the quickstart in its middle."""
    made = deployment(
        tmp_path / "managed.json",
        {"customize": [shell("sudo mkdir /buildArtifacts1", name="One")]},
        source=SOURCE,
        distribute={"type": "ManagedImage", "imageId": image_id("base"), "location": "[parameters('where')]"},
    )
    parameters = tmp_path / "parameters.json"
    parameters.write_text(json.dumps({"parameters": {"where": {"value": "West US 2"}}}))
    build(vmwright, made, "--parameters", parameters, "--set", "step=One")
    names = ("--set", "imageDefName=chain", "--set", "srcImageName=base", "--set", "sharedImageGalName=arm")
    build(vmwright, TEMPLATES / INTO_GALLERY, *names)
    definition = definition_id("arm", "chain")
    last = deployment(
        tmp_path / "last.json",
        {"customize": [shell(*SERVE, name="Serve")]},
        source={"type": "SharedImageVersion", "imageVersionId": f"{definition}/versions/latest"},
        distribute={"type": "SharedImage", "galleryImageId": f"{definition}/versions/7.0.0"},
    )
    build(vmwright, last, "--parameters", parameters)
    booted = vmwright("boot", "arm/chain/7.0.0", "--page", "/")
    assert booted.code == 0, booted.err
    assert booted.out.endswith("/buildArtifacts1\n/buildArtifacts2\n")


def image_id(name: str) -> str:
    return f"[resourceId('Microsoft.Compute/images', '{name}')]"


def definition_id(gallery: str, name: str) -> str:
    return f"{IMAGES}/galleries/{gallery}/images/{name}"


def deployment(
    file: Path, properties: dict[str, object], *, source: dict[str, str], distribute: dict[str, str]
) -> Path:
    """An ARM template with one image template, which takes its region and its step's name from parameters."""
    if distribute["type"] == "SharedImage":
        distribute = {**distribute, "replicationRegions": "[createArray(parameters('where'))]"}
    resource = {
        "type": "Microsoft.VirtualMachineImages/imageTemplates",
        "apiVersion": "2022-07-01",
        "name": "[concat('template-', uniqueString(resourceGroup().id))]",
        "location": "[parameters('where')]",
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": {
                "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'builder')]": {}
            },
        },
        "properties": {
            **properties,
            "source": source,
            "distribute": [{**distribute, "runOutputName": "[toLower(parameters('step'))]"}],
        },
    }
    file.write_text(
        json.dumps(
            {
                "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
                "contentVersion": "1.0.0.0",
                "parameters": {
                    "where": {"type": "string"},
                    "step": {"type": "string", "defaultValue": "Step"},
                },
                "resources": [resource],
            }
        )
    )
    return file
