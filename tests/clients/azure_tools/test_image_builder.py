"""Image templates, by ``az image builder``."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.clients.azure_tools import templates
from tests.clients.azure_tools.conftest import Place
from tests.clients.azure_tools.serving import SITE
from tests.clients.azure_tools.templates import SOURCE

SETUP = hashlib.sha256(b"#!/bin/sh\n").hexdigest()


def test_a_template_is_made_of_a_file(place: Place, tmp_path: Path) -> None:
    path = templates.file(tmp_path, place.subscription, place.group)
    made = place.builder("create", *place.named, "--image-template", path)
    assert made["provisioningState"] == "Succeeded"
    assert (made["source"]["type"], made["source"]["publisher"]) == ("PlatformImage", "Debian")
    assert (made["source"]["version"], "exactVersion" in made["source"]) == ("latest", True)
    assert [one["type"] for one in made["customize"]] == ["Shell", "Shell"]
    assert made["customize"][0]["sha256Checksum"] == SETUP
    assert [one["type"] for one in made["distribute"]] == ["ManagedImage"]
    assert made["identity"]["userAssignedIdentities"][place.identity]["principalId"]
    assert made["tags"] == {"team": "web"}
    assert made["exactStagingResourceGroup"].rpartition("/")[2].startswith(f"IT_{place.group}_web_")


def test_a_template_is_made_of_flags(place: Place) -> None:
    made = place.builder(
        "create",
        *place.named,
        *("--image-source", SOURCE),
        *("--scripts", f"{SITE}setup.sh"),
        *("--managed-image-destinations", "golden=westus2"),
        *("--identity", "builder"),
        *("--build-timeout", "60", "--vm-size", "Standard_D2s_v3"),
    )
    assert made["provisioningState"] == "Succeeded"
    assert made["customize"][0]["scriptUri"] == f"{SITE}setup.sh"
    assert made["distribute"][0]["imageId"] == place.image
    assert (made["buildTimeoutInMinutes"], made["vmProfile"]["vmSize"]) == (60, "Standard_D2s_v3")
    assert list(made["identity"]["userAssignedIdentities"]) == [place.identity]


def test_a_template_that_was_put_together_piece_by_piece_is_sent_at_the_end(place: Place) -> None:
    cached = (*place.named, "--defer")
    place.builder("create", *cached, "--image-source", SOURCE, "--identity", "builder")
    output = ("--managed-image", "golden", "--managed-image-location", "westus2", "--output-name", "golden")
    place.builder("output", "add", *cached, *output)
    shell = ("--customizer-name", "say", "--type", "shell", "--inline-script", "echo hello")
    place.builder("customizer", "add", *cached, *shell)
    place.builder("validator", "add", *cached, "--dis-on-failure", "true")
    place.builder("optimizer", "add", *cached, "--enable-vm-boot", "true")
    place.builder("error-handler", "add", *cached, "--on-customizer-error", "abort")
    assert place.builder("list", "-g", place.group) == []
    sent = place.builder("update", *place.named)
    assert sent["provisioningState"] == "Succeeded"
    assert sent["customize"][0]["inline"] == ["echo hello"]
    assert sent["distribute"][0]["runOutputName"] == "golden"
    assert sent["validate"]["continueDistributeOnFailure"] is True
    assert sent["optimize"]["vmBoot"]["state"] == "Enabled"
    assert sent["errorHandling"]["onCustomizerError"] == "abort"


def test_a_template_that_is_there_is_changed(template: Place) -> None:
    changed = template.builder("update", *template.named, "--set", "tags.z=1")
    assert changed["tags"] == {"team": "web", "z": "1"}
    assert changed["provisioningState"] == "Succeeded"


def test_an_identity_is_taken_away_and_given_again(template: Place) -> None:
    identity = ("identity", "remove", *template.named, "--user-assigned", "builder", "-y")
    assert template.builder(*identity).get("type", "None") == "None"
    template.builder("identity", "assign", *template.named, "--user-assigned", "builder")
    shown = template.builder("identity", "show", *template.named)
    assert shown["type"] == "UserAssigned"
    (assigned,) = shown["userAssignedIdentities"].items()
    assert assigned[0].lower() == template.identity.lower()
    assert assigned[1]["clientId"]


def test_templates_are_shown_and_listed(template: Place) -> None:
    assert template.builder("show", *template.named)["id"].lower() == template.id.lower()
    assert [one["name"] for one in template.builder("list", "-g", template.group)] == ["web"]
    assert template.group in [one["resourceGroup"] for one in template.builder("list")]


def test_a_template_that_is_not_there_is_told_as_missing(place: Place) -> None:
    missing = place.az("image", "builder", "show", *place.named, code=3)
    assert "ResourceNotFound" in missing.err
    assert "imageTemplates/web" in missing.err


def test_a_template_that_cannot_be_provisioned_tells_why(place: Place) -> None:
    flags = ("--scripts", f"{SITE}lost.sh", "--managed-image-destinations", "golden=westus2")
    source = ("--image-source", SOURCE, "--identity", "builder")
    failed = place.az("image", "builder", "create", *place.named, *source, *flags, code=1)
    assert "lost.sh" in failed.err
    shown = place.builder("show", *place.named)
    assert shown["provisioningState"] == "Failed"
    assert "lost.sh" in shown["provisioningError"]["message"]


def test_a_trigger_is_made_shown_listed_and_deleted(template: Place) -> None:
    of_template = ("-g", template.group, "--image-template-name", "web")
    trigger = (*of_template, "-n", "newer")
    made = template.builder("trigger", "create", *trigger, "--kind", "SourceImage")
    assert (made["kind"], made["provisioningState"]) == ("SourceImage", "Succeeded")
    assert template.builder("trigger", "show", *trigger)["status"]["code"] == "Healthy"
    assert [one["name"] for one in template.builder("trigger", "list", *of_template)] == ["newer"]
    template.builder("trigger", "delete", *trigger, "-y")
    assert template.builder("trigger", "list", *of_template) == []


def test_a_template_is_deleted_with_its_staging_group(template: Place) -> None:
    staging = template.builder("show", *template.named)["exactStagingResourceGroup"].rpartition("/")[2]
    assert template.az("group", "exists", "-n", staging).out.strip() == "true"
    template.builder("delete", *template.named)
    assert template.builder("list", "-g", template.group) == []
    assert template.az("group", "exists", "-n", staging).out.strip() == "false"
    template.builder("delete", *template.named)
