"""Managed images: imported from disks, tagged, removed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.build_rows import build_row
from tests.component.arm.asking import SUBSCRIPTION
from tests.component.arm.compute.talking import GROUP, IMAGE, SITE, Rights, Talk, importing
from tests.scripted import Recorder
from vmwright.arm import ids
from vmwright.arm.providers.storage import accounts
from vmwright.arm.service import Service
from vmwright.distributors.distributor import RunOutput
from vmwright.events import Notice
from vmwright.state.tables import RunOutputRow

TEMPLATE = f"{GROUP}/providers/Microsoft.VirtualMachineImages/imageTemplates/web"


def staging(service: Service) -> str:
    """Make a template and its storage account, and return where that is."""
    template, _ = service.store.put(
        ids.parse(TEMPLATE),
        kind="Microsoft.VirtualMachineImages/imageTemplates",
        location="westus",
        body={},
        tags={},
        api_version="2024-02-01",
        principal="",
    )
    accounts.make(service.store, ids.parse(GROUP), template, {})
    account = accounts.account_id(ids.parse(GROUP), ids.parse(TEMPLATE)).name
    return f"https://localhost:8443/{account}"


async def test_a_disk_at_an_address_becomes_an_image_that_templates_build_from(
    talk: Talk, service: Service
) -> None:
    answer = await talk("PUT", IMAGE, {**importing(), "tags": {"a": "b"}}, version="2024-07-01")
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Creating"
    assert "/locations/westus/operations/" in answer.headers["Azure-AsyncOperation"]
    await talk.background.idle()
    assert (await talk.ended(answer))["status"] == "Succeeded"
    assert await talk.get(IMAGE) == {
        "id": IMAGE,
        "name": "golden",
        "type": "Microsoft.Compute/images",
        "location": "westus",
        "tags": {"a": "b"},
        "properties": {
            "storageProfile": {
                "osDisk": {
                    "osType": "Linux",
                    "osState": "Generalized",
                    "blobUri": f"{SITE}disk.vhd",
                    "diskSizeGB": 1,
                    "caching": "None",
                    "storageAccountType": "Standard_LRS",
                },
                "dataDisks": [],
            },
            "hyperVGeneration": "V1",
            "provisioningState": "Succeeded",
        },
    }
    image = service.images.managed.get(IMAGE)
    assert image.facts.os_name == "Tiny 1"
    assert service.images.artifacts.get(image.digest).format == "qcow2"


async def test_what_opens_an_address_is_not_shown_nor_kept_nor_said(
    talk: Talk, service: Service, recorder: Recorder
) -> None:
    for number, name in enumerate(("disk.vhd", "lost.vhd")):
        uri = f"{SITE}{name}?sv=2020&sig=verysecretsignature"
        await talk.done("PUT", f"{IMAGE}{number}", importing(uri))
        shown = await talk("GET", f"{IMAGE}{number}")
        assert shown.json()["properties"]["storageProfile"]["osDisk"]["blobUri"] == f"{SITE}{name}"
    kept = service.store.find_all(
        kind="Microsoft.Resources/compute/Microsoft.Compute/images", subscription=SUBSCRIPTION
    )
    assert len(kept) == 2
    assert "verysecret" not in repr(kept)
    said = [notice.message for notice in recorder.of(Notice)]
    assert said
    assert "verysecret" not in repr(said)


async def test_an_image_that_cannot_be_made_tells_why_and_leaves_nothing(
    talk: Talk, service: Service, site: Path
) -> None:
    (site / "text.vhd").write_text("no disk" * 1000)
    for body, says in (
        (importing(f"{SITE}lost.vhd"), "lost.vhd"),
        (importing(f"{SITE}text.vhd"), "partition"),
        (importing(osType="Windows"), "osType Windows, but the disk is Linux"),
        (
            {**importing(), "properties": {**importing()["properties"], "hyperVGeneration": "V2"}},
            "boots as V1",
        ),
    ):
        assert says in await talk.done("PUT", IMAGE, body)
        assert (await talk.get(IMAGE))["properties"]["provisioningState"] == "Failed"
    assert not list((service.settings.home / "staging").iterdir())
    assert not list(service.images.artifacts.folder.rglob("*.qcow2"))
    assert service.images.managed.find(IMAGE) is None
    await talk.made(IMAGE, importing())
    await talk.done("DELETE", IMAGE)
    assert (await talk("GET", IMAGE)).status_code == 404
    assert not list(service.images.artifacts.folder.rglob("*.qcow2"))


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"location": "westus"}, 400, "InvalidParameter", "osDisk.blobUri"),
        (importing(osType=None), 400, "InvalidParameter", "osDisk.osType"),
        (importing(osState="Specialized"), 400, "InvalidParameter", "generalized"),
        (importing("ftp://x/y"), 400, "InvalidParameter", "ftp"),
        (importing("file:///etc/passwd"), 400, "InvalidParameter", "a file of this host"),
        (importing(managedDisk={"id": "x"}), 400, "NotSupported", "managedDisk"),
        (
            {"location": "westus", "properties": {"sourceVirtualMachine": {"id": "x"}}},
            400,
            "NotSupported",
            "virtual machine",
        ),
    ],
)
async def test_a_body_that_no_image_can_be_made_of_is_refused(
    talk: Talk, body: dict[str, Any], status: int, code: str, says: str
) -> None:
    refused = await talk.refused("PUT", IMAGE, body)
    assert refused[:2] == (status, code)
    assert says in refused[2]


async def test_tags_of_an_image_change_and_its_disk_does_not(talk: Talk) -> None:
    there = await talk.made(IMAGE, importing())
    assert await talk.done("PUT", IMAGE, {**there, "tags": {"x": "y"}}) == ""
    assert await talk.get(IMAGE) == {**there, "tags": {"x": "y"}}
    assert await talk.done("PATCH", IMAGE, {"tags": {"z": "1"}}) == ""
    assert await talk.get(IMAGE) == {**there, "tags": {"z": "1"}}
    refused = await talk.refused("PUT", IMAGE, importing(f"{SITE}other.vhd"))
    assert refused[:2] == (409, "PropertyChangeNotAllowed")


async def test_a_vhd_that_a_template_has_made_becomes_an_image_for_who_may_read_it(
    talk: Talk, service: Service, rights: Rights, disk: Path
) -> None:
    address = f"{staging(service)}/vhds/{disk.name}"
    row = build_row(template_id=TEMPLATE, key=TEMPLATE.lower(), ended_at=datetime.now(UTC))
    made = RunOutput(name="disk", kind="VHD", artifact_uri=disk.as_uri())
    with service.database.session() as session:
        session.add(row)
        session.flush()
        session.add(
            RunOutputRow(
                build_id=row.id,
                name=made.name,
                kind=made.kind,
                provisioning_state="Succeeded",
                artifact_uri=made.artifact_uri,
                tags={},
                error="",
            )
        )
    await talk.made(IMAGE, importing(address))
    assert disk.exists()
    (asked,) = rights.asked
    assert asked.action == "Microsoft.VirtualMachineImages/imageTemplates/runOutputs/read"
    rights.refused = TEMPLATE
    refused = await talk.refused("PUT", f"{IMAGE}2", importing(address))
    assert refused[:2] == (403, "LinkedAuthorizationFailed")
    assert (await talk("GET", f"{IMAGE}2")).status_code == 404


async def test_a_vhd_that_is_gone_is_named(talk: Talk, service: Service, disk: Path) -> None:
    gone = importing(f"{staging(service)}/vhds/gone.vhd")
    assert "The VHD gone.vhd of the template web is gone" in await talk.done("PUT", IMAGE, gone)
