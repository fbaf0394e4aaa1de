"""The public samples that are deployments, deployed with the values that their guides give them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.component.arm.asking import SUBSCRIPTION
from tests.component.arm.deployments.talking import (
    DEPLOYMENT,
    GROUP,
    IDENTITIES,
    TEMPLATES,
    Talk,
    body,
    identity,
    template,
)
from tests.conftest import SHARED
from vmwright.arm.service import Service
from vmwright.images import Identifier
from vmwright.images.ids import parse_definition
from vmwright.settings import DatabaseSettings, Settings
from vmwright.template.model import Generation, OsType

FOLDER = SHARED / "templates"
DEFINITION = f"{GROUP}/providers/Microsoft.Compute/galleries/ours/images/web"
PLACEHOLDERS = {
    "<subscriptionID>": SUBSCRIPTION,
    "<rgName>": "images",
    "<sharedImageGalName>": "ours",
    "<imageDefName>": "web",
    "<runOutputName>": "out",
    "<region>": "westus",
    "<region1>": "westus",
    "<region2>": "eastus",
    "<imageName>": "web",
    "<imgBuilderId>": f"{GROUP}/providers/{IDENTITIES}/builder",
    "<sigDefImgVersionId>": f"{DEFINITION}/versions/1.0.0",
}
GIVEN = {
    "api-version": "2020-02-14",
    "imageTemplateName": "sample",
    "svclocation": "westus",
    "svcLocation": "westus",
    "managedImageResGroupId": f"{GROUP}/providers/Microsoft.Compute/images/",
    "managedImageName": "web",
    "packagesToInstall": "nginx",
    "targetOS": "linux",
}
RAW = "https://raw.githubusercontent.com/"
SCRIPT = re.compile(rf'{re.escape(RAW)}([^"]+)')


@pytest.fixture
def settings(tmp_path: Path, database_settings: DatabaseSettings) -> Settings:
    """Settings with a mirror of what the samples download."""
    site = tmp_path / "site"
    for path in samples():
        for name in SCRIPT.findall(path.read_text("utf-8-sig")):
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text("a script")
    return Settings(home=tmp_path / "home", database=database_settings, mirrors={RAW: f"file://{site}/"})


def samples() -> list[Path]:
    return [path for path in sorted(FOLDER.glob("qs_*.json")) if "$schema" in path.read_text("utf-8-sig")]


def filled(path: Path) -> str:
    text = path.read_text("utf-8-sig")
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    return text


def spliced(text: str) -> str:
    """Return the body that the command line of Azure makes of a template's file."""
    names = json.loads(text)["parameters"]
    given = {name: {"value": GIVEN[name]} for name in names if name in GIVEN}
    return f'{{"properties": {{"parameters": {json.dumps(given)}, "mode": "Incremental", template:{text}}}}}'


@pytest.fixture
def definition(service: Service) -> None:
    """The image definition that the samples distribute to."""
    wanted = parse_definition(DEFINITION)
    service.images.galleries.create_gallery(wanted, location="westus")
    service.images.galleries.create_definition(
        wanted,
        location="westus",
        os_type=OsType.WINDOWS,
        generation=Generation.V1,
        identifier=Identifier(publisher="us", offer="web", sku="1"),
    )


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the public samples are not here")
@pytest.mark.parametrize("path", samples(), ids=lambda path: path.stem[:60])
async def test_public_sample_is_deployed(path: Path, talk: Talk, definition: None) -> None:
    await talk.deploy(body(template(identity())), f"{DEPLOYMENT}-of-identity")
    text = filled(path)
    sent = spliced(text)
    checked = await talk("POST", f"{DEPLOYMENT}/validate", sent)
    assert checked.status_code == 200, checked.text
    shown: dict[str, Any] = await talk.deploy(sent)
    assert shown["properties"]["provisioningState"] == "Succeeded", shown["properties"].get("error")
    made = f"{GROUP}/providers/{TEMPLATES}/sample"
    assert shown["properties"]["outputResources"] == [{"id": made}]
    version = json.loads(text)["resources"][0]["apiVersion"]
    version = GIVEN["api-version"] if version.startswith("[") else version
    there = (await talk.client.get(f"{made}?api-version={version}")).json()
    assert there["properties"]["provisioningState"] == "Succeeded"
