"""The quickstarts' way, by an unmodified az, with real builds behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients.azure_tools import templates
from tests.clients.azure_tools.serving import Az, Served
from tests.clients.azure_tools.templates import PROVIDER

pytestmark = [pytest.mark.machine]

GROUP = "images"
IN_GROUP = ("-g", GROUP)
FOOTER_BYTES = 512
PARTIAL = 206


@pytest.fixture(scope="module")
def group(az: Az) -> str:
    """A resource group with an identity."""
    az("group", "create", "-n", GROUP, "-l", "westus2")
    az("identity", "create", *IN_GROUP, "-n", "builder")
    return GROUP


def write(folder: Path, served: Served, **properties: object) -> Path:
    """Write a template of the quickstarts' form."""
    body = templates.body(served.subscription, GROUP)
    body["properties"] |= properties
    path = folder / "template.json"
    path.write_text(json.dumps({"type": f"{PROVIDER}/imageTemplates", "apiVersion": "2020-02-14", **body}))
    return path


def say(text: str) -> list[Mapping[str, Any]]:
    return [{"type": "Shell", "name": "say", "inline": [f"echo {text} | sudo tee -a /etc/motd"]}]


def create(az: Az, name: str, template: Path) -> tuple[str, ...]:
    named = (*IN_GROUP, "-n", name)
    az("image", "builder", "create", *named, "--image-template", template)
    return named


def last_run(az: Az, named: tuple[str, ...]) -> Any:
    return az.json("image", "builder", "show", *named)["lastRunStatus"]


@pytest.mark.usefixtures("group")
def test_a_disk_and_an_image_are_built_and_the_next_image_from_that(
    az: Az, served: Served, tmp_path: Path
) -> None:
    image = templates.image_id(served.subscription, GROUP)
    to_image = templates.body(served.subscription, GROUP)["properties"]["distribute"]
    to_disk = {"type": "VHD", "runOutputName": "disk"}
    first = write(tmp_path, served, customize=say("first"), distribute=[to_disk, *to_image])
    named = create(az, "first", first)
    az("image", "builder", "run", *named)
    assert last_run(az, named)["runState"] == "Succeeded"

    outputs = {one["name"]: one for one in az.json("image", "builder", "show-runs", *named)}
    assert outputs["golden"]["artifactId"] == image
    with served.client() as client:
        client.headers["Authorization"] = f"Bearer {served.token()}"
        footer = client.get(outputs["disk"]["artifactUri"], headers={"Range": f"bytes=-{FOOTER_BYTES}"})
    assert (footer.status_code, footer.content[:8]) == (PARTIAL, b"conectix")
    assert az.json("image", "show", "--ids", image)["provisioningState"] == "Succeeded"

    az("sig", "create", *IN_GROUP, "-r", "apps")
    definition = ("-r", "apps", "-i", "web", "-p", "us", "-f", "web", "-s", "1", "--os-type", "Linux")
    generation = az.json("image", "show", "--ids", image)["hyperVGeneration"]
    az("sig", "image-definition", "create", *IN_GROUP, *definition, "--hyper-v-generation", generation)
    in_gallery = image.replace("/images/golden", "/galleries/apps/images/web")
    second = write(
        tmp_path,
        served,
        source={"type": "ManagedImage", "imageId": image},
        customize=say("second"),
        distribute=[
            {
                "type": "SharedImage",
                "runOutputName": "version",
                "galleryImageId": in_gallery,
                "replicationRegions": ["westus2"],
            }
        ],
    )
    named = create(az, "second", second)
    kind = ("--resource-type", f"{PROVIDER}/imageTemplates")
    assert az.json("resource", "invoke-action", *named, *kind, "--action", "Run") == {}
    assert last_run(az, named)["runState"] == "Succeeded"
    versions = az.json("sig", "image-version", "list", *IN_GROUP, "-r", "apps", "-i", "web")
    (made,) = az.json("image", "builder", "show-runs", *named)
    assert [version["id"].lower() for version in versions] == [made["artifactId"].lower()]


@pytest.mark.usefixtures("group")
def test_a_step_that_fails_says_which_with_its_last_words(az: Az, served: Served, tmp_path: Path) -> None:
    failing = [{"type": "Shell", "name": "check", "inline": ["echo nearly there", "exit 3"]}]
    named = create(az, "failing", write(tmp_path, served, customize=failing))
    failed = az("image", "builder", "run", *named, code=1)
    assert "(PackerBuildFailed) During the image build a failure has occurred." in failed.err
    assert "Step 1 of 1 'check' (Shell) failed: Script exited with non-zero exit status: 3." in failed.err
    assert "nearly there" in failed.err
    assert last_run(az, named)["runState"] == "Failed"


@pytest.mark.usefixtures("group")
def test_a_build_that_runs_is_cancelled(az: Az, served: Served, tmp_path: Path) -> None:
    endless = [{"type": "Shell", "name": "wait", "inline": ["sleep 600"]}]
    named = create(az, "endless", write(tmp_path, served, customize=endless))
    az("image", "builder", "run", *named, "--no-wait")
    soon = ("--interval", "1", "--timeout", "120")
    begun = "lastRunStatus.runSubState=='Customizing'"
    az("image", "builder", "wait", *named, "--custom", begun, *soon)
    az("image", "builder", "cancel", *named)
    az("image", "builder", "wait", *named, "--custom", "lastRunStatus.runState=='Canceled'", *soon)
    assert "cancel" in last_run(az, named)["message"].lower()
