"""Each rule fires on what it is for, and does not fire on a near miss."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vmwright.template import Problem, Severity, read
from vmwright.template.catalogue import Rule

TESTS = Path(__file__).parents[2]
NOTES = "test_azure_notes.py"  # It names rules and fires none.
ID = "/subscriptions/0/resourceGroups/rg/providers"
IMAGE_ID = f"{ID}/Microsoft.Compute/images/img"
DEFINITION_ID = f"{ID}/Microsoft.Compute/galleries/g/images/d"
SUBNET_ID = f"{ID}/Microsoft.Network/virtualNetworks/v/subnets/s"
OTHER_SUBNET_ID = f"{ID}/Microsoft.Network/virtualNetworks/w/subnets/t"
IDENTITY_ID = f"{ID}/Microsoft.ManagedIdentity/userAssignedIdentities/me"
SHA = "ade4c5214c3c675e92c66e2d067a870c5b81b9844b3de3cc72c49ff36425fc93"
URI = "https://example.com/script.sh"
Body = dict[str, Any]
Edit = Callable[[Body], object]


def body() -> Body:
    return {
        "type": "Microsoft.VirtualMachineImages/imageTemplates",
        "apiVersion": "2020-02-14",
        "location": "westus2",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY_ID: {}}},
        "properties": {
            "source": {
                "type": "PlatformImage",
                "publisher": "Debian",
                "offer": "debian-12",
                "sku": "12",
                "version": "latest",
            },
            "customize": [{"type": "Shell", "name": "hello", "inline": ["echo hello"]}],
            "distribute": [{"type": "VHD", "runOutputName": "disk"}],
        },
    }


def problems(change: Edit | bytes, **options: Any) -> tuple[Problem, ...]:
    if isinstance(change, bytes):
        return read(change, **options).problems
    changed = copy.deepcopy(body())
    change(changed)
    return read(json.dumps(changed).encode(), **options).problems


def at(path: str, value: object) -> Edit:
    """Set a value: ``properties.customize.0.name``; ``DROP`` removes it."""

    def edit(changed: Any) -> None:
        *above, last = path.split(".")
        for step in above:
            changed = changed[int(step)] if isinstance(changed, list) else changed[step]
        if value is DROP:
            del changed[last]
        elif isinstance(changed, list):
            changed[int(last) :] = [value]
        else:
            changed[last] = value

    return edit


def both(*edits: Edit) -> Edit:
    def edit(changed: Body) -> None:
        for one in edits:
            one(changed)

    return edit


DROP = object()
MINUTES = "properties.buildTimeoutInMinutes"
STEPS = "properties.customize"
STEP = f"{STEPS}.0"
OUT = "properties.distribute"
SOURCE = "properties.source"
OLD = at("apiVersion", "2019-05-01-preview")
LATER = at("apiVersion", "2022-07-01")
STRICT = at("apiVersion", "2024-02-01")
NEWEST = at("apiVersion", "2025-10-01")


def shell(**fields: object) -> Edit:
    return at(STEP, {"type": "Shell", **fields})


def line(text: str) -> Edit:
    return shell(inline=[text])


def powershell(**fields: object) -> Edit:
    return at(STEP, {"type": "PowerShell", "inline": ["x"], **fields})


def file(destination: str, **fields: object) -> Edit:
    return at(STEP, {"type": "File", "sourceUri": URI, "destination": destination, **fields})


def version(**fields: object) -> dict[str, object]:
    return {
        "type": "SharedImage",
        "runOutputName": "v",
        "galleryImageId": f"{DEFINITION_ID}/versions/1.0.0",
        "replicationRegions": ["westus"],
        **fields,
    }


def gallery(**fields: object) -> Edit:
    return at(f"{OUT}.0", version(**{"galleryImageId": DEFINITION_ID, **fields}))


def targets(*regions: object) -> Edit:
    return both(LATER, gallery(targetRegions=list(regions), replicationRegions=None))


def network(**fields: object) -> Edit:
    return at("properties.vmProfile", {"vnetConfig": fields})


def validations(*steps: object) -> Edit:
    return at("properties.validate", {"inVMValidations": list(steps)})


def image(**fields: object) -> dict[str, object]:
    return {
        "type": "ManagedImage",
        "runOutputName": "i",
        "imageId": IMAGE_ID,
        "location": "westus2",
        **fields,
    }


def raw(text: str) -> bytes:
    return text.encode()


NOTHING: Edit = at("tags", {})
GOOD = json.dumps(body())
UP = {"values": {"NOPE": "x"}}
ISO = {"type": "ISO", "sourceUri": "https://example.com/dvd.iso", "sha256Checksum": SHA}
VERSION_ID = f"{DEFINITION_ID}/versions/1.0.0"
SHARED = {"type": "SharedImageVersion", "imageVersionId": VERSION_ID}
DIRECT = "/sharedGalleries/g-1/images/d/versions/1.0.0"
RESTART = {"type": "WindowsRestart", "restartTimeout": "5m"}
FILE = {"type": "File", "sourceUri": URI, "destination": "/tmp/x"}
SCRIPT = {"type": "Shell", "inline": ["true"]}
TARGET = {"name": "westus", "replicaCount": 2}
NAMES = {"name": "v", "subnetName": "s", "resourceGroupName": "r"}

# The rule, what makes it fire, and a near miss that does not.
CASES: list[tuple[Rule, Edit | bytes, Edit | bytes]] = [
    (Rule.JSON_TOO_LARGE, b" " * (4 * 1024 * 1024 + 1), b" " * (4 * 1024 * 1024)),
    (Rule.JSON_TOO_LARGE, b"[" + b"0," * 50_000 + b"0]", b'["' + b"0," * 50_000 + b'0"]'),
    (Rule.JSON_NOT_UTF8, b'{"a": "\xff"}', '{"a": "ÿ"}'.encode()),
    (Rule.JSON_NOT_UTF8, "{}".encode("utf-16"), b"{}"),
    (Rule.JSON_BOM, b"\xef\xbb\xbf" + raw(GOOD), raw(GOOD)),
    (Rule.JSON_EMPTY, b" \n", b"{}"),
    (Rule.JSON_INVALID, b'{"a" 1}', b'{"a": 1}'),
    (Rule.JSON_TOO_DEEP, b"[" * 65, b"[" * 64),
    (Rule.JSON_NOT_OBJECT, b"[]", b"{}"),
    (Rule.JSON_DUPLICATE_KEY, b'{"a": 1, "a": 2}', b'{"a": 1, "b": {"a": 2}}'),
    (Rule.JSON_NOT_STRICT, b'{"a": 1,} // c', b'{"a": ",} // c"}'),
    (Rule.JSON_CHARACTER, b'{"a": "\\u0000"}', b'{"a": "\\u0001"}'),
    (Rule.JSON_CHARACTER, b'{"\\ud800": 1}', b'{"\\ud83d\\ude00": 1}'),
    (Rule.VERSION_UNKNOWN, at("apiVersion", "2020-02-15"), NOTHING),
    (Rule.VERSION_ASSUMED, at("apiVersion", DROP), NOTHING),
    (Rule.VERSION_IN_BODY, STRICT, at("apiVersion", "2023-07-01")),
    (Rule.RESOURCE_TYPE_SHORT, at("type", "Microsoft.VirtualMachineImages"), NOTHING),
    (
        Rule.RESOURCE_TYPE_OTHER,
        at("type", "Microsoft.Compute/images"),
        at("type", "microsoft.virtualmachineimages/imagetemplates"),
    ),
    (Rule.RESOURCE_DEPENDS_ON, at("dependsOn", ["x"]), at("dependsOn", [])),
    (Rule.FIELD_UNKNOWN, at(f"{OUT}.0.aritfactTags", {}), at(f"{OUT}.0.artifactTags", {})),
    (Rule.FIELD_SPELLING, at("Tags", {}), NOTHING),
    (Rule.FIELD_TWICE, both(at("tags", {}), at("TAGS", {})), at("tags", {})),
    (Rule.FIELD_MISSING, at("location", DROP), at("tags", {})),
    (Rule.FIELD_MISSING, at("location", None), at("tags", None)),
    (
        Rule.FIELD_MISSING,
        at("identity", {"userAssignedIdentities": {IDENTITY_ID: {}}}),
        at("identity", {}),
    ),
    (
        Rule.FIELD_MISSING,
        gallery(replicationRegions=None),
        both(at("apiVersion", "2022-07-01"), gallery(replicationRegions=None)),
    ),
    (
        Rule.FIELD_VERSION,
        at("properties.validate", {}),
        both(at("apiVersion", "2022-02-14"), at("properties.validate", {})),
    ),
    (Rule.FIELD_VERSION, both(OLD, gallery(excludeFromLatest=True)), gallery(excludeFromLatest=True)),
    (
        Rule.FIELD_VERSION,
        both(OLD, network(subnetId=SUBNET_ID)),
        network(subnetId=SUBNET_ID),
    ),
    (Rule.FIELD_VERSION, network(**NAMES), both(OLD, network(**NAMES))),
    (
        Rule.FIELD_VERSION,
        both(at("apiVersion", "2022-07-01"), at("properties.optimize", {"workload": {"state": "Enabled"}})),
        both(at("apiVersion", "2025-10-01"), at("properties.optimize", {"workload": {"state": "Enabled"}})),
    ),
    (Rule.FIELD_READ_ONLY, at("properties.provisioningState", "Succeeded"), NOTHING),
    (Rule.VALUE_TYPE, at("properties.customize", {}), at("properties.customize", [])),
    (Rule.VALUE_TYPE, at("tags", {"a": 1}), at("tags", {"a": "1"})),
    (Rule.VALUE_TYPE, at(MINUTES, 7.5), at(MINUTES, 7)),
    (Rule.VALUE_TYPE, at(MINUTES, {}), at(MINUTES, 60)),
    (Rule.VALUE_TYPE, powershell(validExitCodes="none"), powershell(validExitCodes="<exit code>")),
    (Rule.VALUE_TYPE, powershell(validExitCodes=["none"]), powershell(validExitCodes=[0, "<exit code>"])),
    (Rule.VALUE_LOOSE, shell(inline="echo"), shell(inline=["echo"])),
    (Rule.VALUE_LOOSE, powershell(validExitCodes=["0", 1]), powershell(validExitCodes=[0, 1])),
    (Rule.VALUE_LOOSE, powershell(runElevated="true"), powershell(runElevated=True)),
    (Rule.VALUE_EMPTY, at(f"{SOURCE}.sku", " "), at(f"{STEP}.name", "")),
    (Rule.VALUE_EMPTY, gallery(replicationRegions=[]), gallery()),
    (
        Rule.VALUE_RANGE,
        at(MINUTES, 961),
        at(MINUTES, 960),
    ),
    (
        Rule.VALUE_RANGE,
        at("properties.vmProfile", {"osDiskSizeGB": -1}),
        at("properties.vmProfile", {"osDiskSizeGB": 0}),
    ),
    (Rule.VALUE_CHOICE, at("identity.type", "SystemAssigned"), at("identity.type", "None")),
    (
        Rule.VALUE_CASING,
        gallery(storageAccountType="standard_lrs"),
        gallery(storageAccountType="Standard_LRS"),
    ),
    (Rule.TYPE_UNKNOWN, at(f"{STEP}.type", "Ansible"), at(f"{STEP}.type", "shell")),
    (Rule.TYPE_SPELLING, at(f"{OUT}.0.type", "vhd"), at(f"{OUT}.0.type", "VHD")),
    (
        Rule.TYPE_VERSION,
        both(at("apiVersion", "2019-02-01-preview"), at(SOURCE, SHARED)),
        at(SOURCE, SHARED),
    ),
    (
        Rule.TYPE_VERSION,
        both(at("apiVersion", "2022-02-14"), validations(FILE)),
        both(LATER, validations(FILE)),
    ),
    (
        Rule.TYPE_UNKNOWN,
        both(LATER, validations(RESTART)),
        both(LATER, validations({**FILE, "type": "file"})),
    ),
    (
        Rule.ID_MALFORMED,
        both(LATER, at("properties.stagingResourceGroup", "/subscriptions/s/resourceGroups")),
        both(LATER, at("properties.stagingResourceGroup", "subscriptions/s/resourceGroups/r")),
    ),
    (
        Rule.ID_MALFORMED,
        both(LATER, at("properties.vmProfile", {"userAssignedIdentities": ["me"]})),
        both(LATER, at("properties.vmProfile", {"userAssignedIdentities": [IDENTITY_ID]})),
    ),
    (
        Rule.ID_MALFORMED,
        at(f"{OUT}.0", image(imageId=IMAGE_ID[1:])),
        at(f"{OUT}.0", image(imageId=IMAGE_ID.lower())),
    ),
    (
        Rule.ID_MALFORMED,
        gallery(galleryImageId=f"{DEFINITION_ID}/versions/1.{'9' * 5000}.0"),
        gallery(galleryImageId=f"{DEFINITION_ID}/versions/1.{2**31 - 1}.0"),
    ),
    (
        Rule.ID_MALFORMED,
        gallery(galleryImageId=f"{DEFINITION_ID}/versions/1.0"),
        gallery(galleryImageId=VERSION_ID),
    ),
    (
        Rule.ID_MALFORMED,
        at("identity.userAssignedIdentities", {"me": {}}),
        at("identity.userAssignedIdentities", {IDENTITY_ID.lower(): {}}),
    ),
    (
        Rule.ID_MALFORMED,
        at(SOURCE, {**SHARED, "imageVersionId": DEFINITION_ID}),
        at(SOURCE, {**SHARED, "imageVersionId": f"{DEFINITION_ID}/versions/latest"}),
    ),
    (Rule.NAME_PATTERN, at(f"{OUT}.0.runOutputName", "a" * 65), at(f"{OUT}.0.runOutputName", "a." * 32)),
    (Rule.NAME_PATTERN, at("name", "my image"), at("name", "my-image")),
    (
        Rule.NAME_DOT,
        both(at("apiVersion", "2019-02-01-preview"), at("name", "my.image")),
        both(OLD, at("name", "my.image")),
    ),
    (Rule.URI_MALFORMED, shell(scriptUri="scripts/a.sh"), shell(scriptUri=URI)),
    (Rule.URI_MALFORMED, shell(scriptUri="https:///a.sh"), shell(scriptUri="https://h/a.sh")),
    (Rule.URI_MALFORMED, shell(scriptUri="https://[a/b"), shell(scriptUri="https://[::1]/b")),
    (Rule.URI_SCHEME, shell(scriptUri="ftp://h/a.sh"), shell(scriptUri="HTTPS://h/a.sh")),
    (Rule.URI_HTTP, shell(scriptUri="http://h/a.sh"), shell(scriptUri=URI)),
    (Rule.URI_FILE, shell(scriptUri="file:///srv/a.sh"), shell(scriptUri=URI)),
    (
        Rule.URI_WEB_PAGE,
        shell(scriptUri="https://github.com/o/r/blob/main/a.sh"),
        shell(scriptUri="https://raw.githubusercontent.com/o/r/main/blob/a.sh"),
    ),
    (
        Rule.CHECKSUM_MALFORMED,
        shell(scriptUri=URI, sha256Checksum=SHA[1:]),
        shell(scriptUri=URI, sha256Checksum=""),
    ),
    (
        Rule.CHECKSUM_UPPER,
        shell(scriptUri=URI, sha256Checksum=SHA.upper()),
        shell(scriptUri=URI, sha256Checksum=SHA),
    ),
    (Rule.REGION_UNKNOWN, at("location", "mars"), at("location", "West US 2")),
    (
        Rule.REGION_UNKNOWN,
        at("location", "swedencentral"),
        both(at("apiVersion", "2021-10-01"), at("location", "swedencentral")),
    ),
    (
        Rule.REGION_UNKNOWN,
        both(at("apiVersion", "2019-02-01-preview"), at("location", "westeurope")),
        both(OLD, at("location", "westeurope")),
    ),
    (Rule.IDENTITY_MISSING, at("identity", DROP), NOTHING),
    (
        Rule.IDENTITY_MISSING,
        both(OLD, at("identity", DROP)),
        both(at("apiVersion", "2019-02-01-preview"), at("identity", DROP)),
    ),
    (Rule.IDENTITY_MISSING, at("identity", {"type": "None"}), NOTHING),
    (
        Rule.IDENTITY_SEVERAL,
        at("identity.userAssignedIdentities", {IDENTITY_ID: {}, f"{IDENTITY_ID}2": {}}),
        NOTHING,
    ),
    (
        Rule.TIMEOUT_TOO_SHORT,
        at(MINUTES, 5),
        at(MINUTES, 6),
    ),
    (
        Rule.TIMEOUT_WINDOWS,
        both(powershell(), at(MINUTES, 59)),
        both(powershell(), at(MINUTES, 60)),
    ),
    (
        Rule.TIMEOUT_WINDOWS,
        both(at(f"{SOURCE}.publisher", "MicrosoftWindowsServer"), at(STEPS, []), at(MINUTES, 59)),
        both(at(STEPS, []), at(MINUTES, 59)),
    ),
    (Rule.SOURCE_LATEST, OLD, both(OLD, at(f"{SOURCE}.version", "12.0.1"))),
    (
        Rule.SOURCE_LATEST_IMAGE,
        at(SOURCE, {**SHARED, "imageVersionId": f"{DEFINITION_ID}/versions/latest"}),
        at(SOURCE, SHARED),
    ),
    (
        Rule.SOURCE_DIRECT,
        at(SOURCE, {**SHARED, "imageVersionId": DIRECT}),
        both(LATER, at(SOURCE, {**SHARED, "imageVersionId": DIRECT})),
    ),
    (Rule.ISO_DEPRECATED, both(OLD, at(SOURCE, ISO)), at(SOURCE, ISO)),
    (Rule.ISO_REMOVED, at(SOURCE, ISO), both(OLD, at(SOURCE, ISO))),
    (Rule.SCRIPT_OR_INLINE, shell(), shell(inline=["x"])),
    (Rule.SCRIPT_OR_INLINE, shell(inline=["x"], scriptUri=URI), shell(inline=[], scriptUri=URI)),
    (Rule.SCRIPT_OR_INLINE, powershell(inline=[]), shell(inline=5)),
    (
        Rule.CHECKSUM_INLINE,
        shell(inline=["x"], sha256Checksum=SHA),
        shell(inline=["x"], sha256Checksum=""),
    ),
    (
        Rule.SYSTEM_ELEVATED,
        powershell(runAsSystem=True),
        powershell(runAsSystem=True, runElevated=True),
    ),
    (Rule.SCRIPT_OR_INLINE, both(LATER, validations({"type": "Shell"})), both(LATER, validations(SCRIPT))),
    (
        Rule.SYSTEM_ELEVATED,
        both(LATER, validations({"type": "PowerShell", "inline": ["x"], "runAsSystem": True})),
        both(LATER, validations({"type": "PowerShell", "inline": ["x"], "runElevated": True})),
    ),
    (Rule.EXIT_CODES, powershell(validExitCodes=[1]), powershell(validExitCodes=[0, 1])),
    (
        Rule.CUSTOMIZE_NAME,
        at(f"{STEPS}.1", {"type": "Shell", "name": "hello", "inline": ["x"]}),
        at(f"{STEPS}.1", {"type": "Shell", "inline": ["x"]}),
    ),
    (Rule.CUSTOMIZE_MIXED, at(f"{STEPS}.1", RESTART), at(STEP, RESTART)),
    (
        Rule.CUSTOMIZE_POWERSHELL,
        at(f"{STEPS}.1", {"type": "PowerShell", "inline": ["x"]}),
        powershell(),
    ),
    (
        Rule.CUSTOMIZE_FOREIGN,
        at(f"{SOURCE}.offer", "windows-11"),
        both(at(f"{SOURCE}.offer", "windows-11"), powershell()),
    ),
    (
        Rule.RESTART_TIMEOUT,
        at(STEP, {**RESTART, "restartTimeout": "5"}),
        at(STEP, {**RESTART, "restartTimeout": "1h30m"}),
    ),
    (Rule.FILE_RELATIVE, file("index.html"), file("c:\\index.html")),
    (Rule.FILE_DIRECTORY, file("/tmp/"), file("/tmp/x")),
    (Rule.FILE_DIRECTORY, file("/tmp"), file("c:\\x")),
    (Rule.FILE_OUTSIDE_TMP, file("/etc/motd"), file("/tmp/etc/motd")),
    (Rule.FILE_OUTSIDE_TMP, file("/tmp/../etc/motd"), file("/tmp/a/../motd")),
    (
        Rule.FILE_OUTSIDE_TMP,
        file("/tmpfile"),
        at(STEPS, [RESTART, {"type": "File", "sourceUri": URI, "destination": "/x"}]),
    ),
    (
        Rule.FILE_FOREIGN,
        at(f"{STEPS}.1", {"type": "File", "sourceUri": URI, "destination": "c:\\x"}),
        file("c:\\x"),
    ),
    (
        Rule.INLINE_WAITS,
        line("sudo apt install unattended-upgrades"),
        line("sudo apt install -y unattended-upgrades"),
    ),
    (Rule.INLINE_WAITS, line("apt-get update && apt-get upgrade"), line("sudo apt-get update")),
    (
        Rule.INLINE_WAITS,
        line("DEBIAN_FRONTEND=noninteractive apt-get install x"),
        line("apt-get install -qqy x"),
    ),
    (Rule.INLINE_WAITS, line("sudo -E yum update"), line("yes | apt install x")),
    (Rule.INLINE_WAITS, line("if true; then dnf install x; fi"), line("echo apt install x")),
    (Rule.INLINE_SECRET, line("export PASSWORD=hunter22"), line("export PASSWORD=$SECRET")),
    (
        Rule.INLINE_SECRET,
        line("wget 'https://a.blob.core.windows.net/c/f?sv=1&sig=Abcdefghijklmnopqrstu%3D'"),
        line("wget https://a.blob.core.windows.net/c/f"),
    ),
    (Rule.INLINE_SECRET, line("mysql --password hunter22"), line("mysql --password-file=/run/p")),
    (Rule.INLINE_SECRET, line("DB_PASSWORD='hunter 22'"), line("sudo apt install -y libsecret=0.20.5")),
    (
        Rule.INLINE_SECRET,
        powershell(inline=["$token = 'abcdefgh'"]),
        powershell(inline=["$token = Get-Token"]),
    ),
    (Rule.INLINE_REBOOT, line("sudo reboot"), line("echo reboot later")),
    (
        Rule.INLINE_REBOOT,
        line("make install && sudo shutdown -r now"),
        line("touch /var/run/reboot-required"),
    ),
    (
        Rule.INLINE_DEPROVISION,
        line("sudo waagent -force -deprovision+user"),
        line("echo 'waagent -force -deprovision' > /tmp/DeprovisioningScript.sh"),
    ),
    (Rule.INLINE_CR, line("echo a\r"), line("printf 'a\\r'")),
    (Rule.DISTRIBUTE_EMPTY, at(OUT, []), at(OUT, [5])),
    (
        Rule.DISTRIBUTE_RUN_OUTPUT,
        at(f"{OUT}.1", {"type": "VHD", "runOutputName": "disk"}),
        at(f"{OUT}.1", {"type": "VHD", "runOutputName": "Disk"}),
    ),
    (
        Rule.DISTRIBUTE_TARGET,
        at(OUT, [image(), image(runOutputName="j", imageId=IMAGE_ID.upper())]),
        at(OUT, [image(), image(runOutputName="j", imageId=f"{IMAGE_ID}2")]),
    ),
    (
        Rule.DISTRIBUTE_TARGET,
        at(OUT, [version(), version(runOutputName="w", galleryImageId=VERSION_ID.upper())]),
        at(
            OUT,
            [version(galleryImageId=DEFINITION_ID), version(runOutputName="w", galleryImageId=DEFINITION_ID)],
        ),
    ),
    (
        Rule.DISTRIBUTE_REGION,
        gallery(replicationRegions=["westus", "West US"]),
        gallery(replicationRegions=["westus", "westus2"]),
    ),
    (
        Rule.DISTRIBUTE_REGION,
        targets(TARGET, {"name": "West US"}),
        targets(TARGET, {"name": "westus2"}),
    ),
    (
        Rule.DISTRIBUTE_REGIONS,
        both(targets(TARGET), at(f"{OUT}.0.replicationRegions", ["westus"])),
        both(targets(TARGET), at(f"{OUT}.0.replicationRegions", [])),
    ),
    (
        Rule.DISTRIBUTE_STORAGE,
        both(targets(TARGET), at(f"{OUT}.0.storageAccountType", "Standard_LRS")),
        gallery(storageAccountType="Standard_LRS"),
    ),
    (
        Rule.DISTRIBUTE_VERSIONING,
        both(LATER, gallery(galleryImageId=VERSION_ID, versioning={"scheme": "Source"})),
        both(LATER, gallery(versioning={"scheme": "Source"})),
    ),
    (
        Rule.DISTRIBUTE_MAJOR,
        both(LATER, gallery(versioning={"scheme": "Source", "major": 1})),
        both(LATER, gallery(versioning={"scheme": "Latest", "major": 1})),
    ),
    (
        Rule.DISTRIBUTE_SOURCE,
        both(at(SOURCE, SHARED), gallery(galleryImageId=DEFINITION_ID.upper())),
        both(at(SOURCE, SHARED), gallery(galleryImageId=f"{DEFINITION_ID}2")),
    ),
    (
        Rule.VALIDATE_SOURCE,
        both(LATER, at("properties.validate", {"sourceValidationOnly": True})),
        both(LATER, at(STEPS, []), at("properties.validate", {"sourceValidationOnly": True})),
    ),
    (
        Rule.DISK_SIZE,
        both(NEWEST, at("properties.additionalDataDisks", [{}])),
        both(NEWEST, at("properties.additionalDataDisks", [{"sizeGB": 32767}])),
    ),
    (
        Rule.DISK_SIZE,
        both(NEWEST, at("properties.additionalDataDisks", [{"sizeGB": 32768}])),
        both(NEWEST, at("properties.additionalDataDisks", [])),
    ),
    (Rule.NETWORK_NAMES, both(OLD, network(name="v", subnetName="s")), both(OLD, network(**NAMES))),
    (
        Rule.NETWORK_CONTAINER,
        both(STRICT, network(containerInstanceSubnetId=SUBNET_ID)),
        both(STRICT, network(subnetId=SUBNET_ID, containerInstanceSubnetId="")),
    ),
    (
        Rule.NETWORK_SAME,
        both(STRICT, network(subnetId=SUBNET_ID, containerInstanceSubnetId=SUBNET_ID.upper())),
        both(STRICT, network(subnetId=SUBNET_ID, containerInstanceSubnetId=f"{SUBNET_ID}2")),
    ),
    (
        Rule.NETWORK_OTHER,
        both(STRICT, network(subnetId=SUBNET_ID, containerInstanceSubnetId=OTHER_SUBNET_ID)),
        both(STRICT, network(subnetId=SUBNET_ID, containerInstanceSubnetId=f"{SUBNET_ID}2")),
    ),
    (
        Rule.NETWORK_PROXY,
        both(STRICT, network(proxyVmSize="Standard_A1_v2")),
        both(STRICT, network(proxyVmSize="")),
    ),
    (
        Rule.NETWORK_NO_PROXY,
        both(STRICT, network(subnetId=SUBNET_ID, containerInstanceSubnetId=SUBNET_ID, proxyVmSize="x")),
        both(STRICT, network(subnetId=SUBNET_ID, containerInstanceSubnetId=SUBNET_ID, proxyVmSize="")),
    ),
    (
        Rule.NO_EFFECT,
        both(LATER, at("properties.optimize", {"vmBoot": {"state": "Enabled"}})),
        both(LATER, at("properties.optimize", {"vmBoot": {"state": "Disabled"}})),
    ),
    (
        Rule.NO_EFFECT,
        both(NEWEST, targets(TARGET), NEWEST, at(f"{OUT}.0.replicationMode", "Shallow")),
        both(NEWEST, targets(TARGET), NEWEST, at(f"{OUT}.0.replicationMode", "Full")),
    ),
    (
        Rule.NO_EFFECT,
        both(OLD, at("properties.build", {"anything": 1})),
        both(OLD, at("properties.build", {})),
    ),
    (
        Rule.DISTRIBUTE_VERSION,
        both(OLD, gallery(galleryImageId=VERSION_ID)),
        gallery(galleryImageId=VERSION_ID),
    ),
    (Rule.PLACEHOLDER_DEFAULT, at("location", "<region>"), at("location", "westus")),
    (Rule.PLACEHOLDER_OPEN, shell(scriptUri="<scriptUrl>"), line("cat <in >out")),
    (Rule.ARM_DEPLOYMENT, at("resources", []), NOTHING),
    (
        Rule.ARM_DEPLOYMENT,
        at("$schema", "http://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#"),
        at("$schema", "other"),
    ),
    (
        Rule.ARM_PLAIN,
        at("location", "[resourceGroup().location]"),
        line("[ -e /etc/motd ] && [ 1 = 1 ]"),
    ),
    (Rule.NOT_BUILT_SOURCE, both(OLD, at(SOURCE, ISO)), at(SOURCE, SHARED)),
    (Rule.NOT_BUILT_SOURCE, at(SOURCE, {**SHARED, "imageVersionId": DIRECT}), at(SOURCE, SHARED)),
    (
        Rule.NOT_BUILT_CUSTOMIZER,
        at(f"{STEPS}.1", {"type": "PowerShell", "inline": ["x"]}),
        at(f"{STEPS}.1", {"type": "Shell", "inline": ["x"]}),
    ),
    (
        Rule.NOT_BUILT_CUSTOMIZER,
        both(LATER, validations({"type": "PowerShell", "inline": ["x"]})),
        both(LATER, validations(SCRIPT)),
    ),
    (Rule.NOT_BUILT_WINDOWS, powershell(), shell(inline=["x"])),
    (
        Rule.NOT_BUILT_WINDOWS,
        at(f"{SOURCE}.publisher", "MicrosoftWindowsDesktop"),
        at(f"{SOURCE}.publisher", "MicrosoftCBLMariner"),
    ),
    (
        Rule.NOT_BUILT_PROPERTY,
        both(NEWEST, at("properties.additionalDataDisks", [{"sizeGB": 1}])),
        both(NEWEST, at("properties.additionalDataDisks", [])),
    ),
    (
        Rule.NOT_BUILT_PROPERTY,
        both(at("apiVersion", "2023-07-01"), at("properties.errorHandling", {"onCustomizerError": "abort"})),
        both(
            at("apiVersion", "2023-07-01"), at("properties.errorHandling", {"onCustomizerError": "cleanup"})
        ),
    ),
    (
        Rule.NOT_BUILT_PROPERTY,
        both(LATER, at(f"{OUT}.0.uri", "https://a.blob.core.windows.net/c/d.vhd")),
        both(LATER, at(f"{OUT}.0.uri", "")),
    ),
]


def test_the_template_of_these_tests_has_no_problems() -> None:
    assert problems(NOTHING) == ()


@pytest.mark.parametrize(
    ("rule", "wrong", "right"), CASES, ids=[f"{case[0].code}-{number}" for number, case in enumerate(CASES)]
)
def test_a_rule_fires_and_its_near_miss_does_not(
    rule: Rule, wrong: Edit | bytes, right: Edit | bytes
) -> None:
    found = [problem for problem in problems(wrong) if problem.code == rule.code]
    assert found
    assert found[0].severity == rule.severity
    assert found[0].message.endswith(".")
    assert found[0].source
    assert rule.code not in {problem.code for problem in problems(right)}


def test_an_api_version_option_loses_against_the_template_and_says_so() -> None:
    code = Rule.VERSION_UNUSED.code
    assert [one.code for one in problems(NOTHING, api_version="2021-10-01")] == [code]
    assert problems(NOTHING, api_version="2020-02-14") == ()
    assert problems(at("apiVersion", DROP), api_version="2020-02-14") == ()


def test_an_unknown_region_says_what_was_meant() -> None:
    (problem,) = (
        one for one in problems(at("location", "West US 22")) if one.code == Rule.REGION_UNKNOWN.code
    )
    assert problem.hint.startswith("did you mean westus2? one of ")


def test_a_set_of_an_unknown_name_says_what_was_meant() -> None:
    (problem,) = (one for one in problems(at("location", "<region>"), values={"regoin": "x"}) if one.is_error)
    assert problem.code == Rule.PLACEHOLDER_UNKNOWN.code
    assert problem.hint == "did you mean `region`?"
    assert problems(at("location", "<region>"), values={"REGION": "westus"}) == ()


def test_every_rule_is_tested() -> None:
    tested = {case[0] for case in CASES} | {Rule.VERSION_UNUSED, Rule.PLACEHOLDER_UNKNOWN}
    others = "".join(
        file.read_text() for file in TESTS.rglob("test_*.py") if file.name not in {Path(__file__).name, NOTES}
    )
    untested = {rule for rule in set(Rule) - tested if f"Rule.{rule.name}" not in others}
    assert {rule.code for rule in untested if f'"{rule.code}"' not in others} == set()
    assert len({rule.code for rule in Rule}) == len(Rule)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (at("tagz", {}), Rule.FIELD_UNKNOWN),
        (at("Tags", {}), Rule.FIELD_SPELLING),
        (at(f"{OUT}.0.type", "vhd"), Rule.TYPE_SPELLING),
        (network(**NAMES), Rule.FIELD_VERSION),
        (gallery(versioning={"scheme": "Source", "major": 1}, replicationRegions=[]), Rule.DISTRIBUTE_MAJOR),
    ],
)
def test_spellings_are_errors_where_the_service_is_strict(change: Edit, rule: Rule) -> None:
    for strict, severity in ((False, Severity.WARNING), (True, Severity.ERROR)):
        version = "2024-02-01" if strict else "2023-07-01"
        found = problems(both(change, at("apiVersion", version)))
        assert {one.severity for one in found if one.code == rule.code} == {severity}


def test_a_build_takes_what_is_missing_or_not_built_as_errors() -> None:
    change = powershell(name="<who>")
    for for_build, severity in ((False, Severity.NOTE), (True, Severity.ERROR)):
        found = {one.code: one.severity for one in problems(change, for_build=for_build)}
        codes = {Rule.PLACEHOLDER_OPEN, Rule.NOT_BUILT_WINDOWS}
        assert {found[rule.code] for rule in codes} == {severity}


def test_an_identity_is_needed_since_2021() -> None:
    changed = both(at("identity", DROP), at("apiVersion", "2021-10-01"))
    (problem,) = (one for one in problems(changed) if one.code == Rule.IDENTITY_MISSING.code)
    assert problem.severity is Severity.ERROR
    assert problem.azure_message == (
        "Validation failed: 'ImageTemplate': Missing field 'identity'. Please review "
        "http://aka.ms/azvmimagebuildertmplref for details on fields required in the Image Builder Template."
    )


def test_an_unknown_field_has_the_words_of_the_service() -> None:
    changed = both(STRICT, at("properties.optimize", {"vmboot": {"state": "Enabled"}}))
    (problem,) = (one for one in problems(changed) if one.code == Rule.FIELD_SPELLING.code)
    assert problem.azure_message == (
        "Unmarshalling entity encountered error: unmarshalling type *v2024_02_01.ImageTemplate: struct field "
        "Properties: unmarshalling type *v2024_02_01.ImageTemplateProperties: struct field Optimize: "
        "unmarshalling type *v2024_02_01.ImageTemplatePropertiesOptimize: unmarshalling type "
        '*v2024_02_01.ImageTemplatePropertiesOptimize, unknown field "vmboot". There is an issue with the '
        "syntax with the JSON template you are submitting. Please check the JSON template for syntax and "
        "grammar. For more information on the syntax and grammar of the JSON template, visit "
        "http://aka.ms/azvmimagebuildertmplref."
    )
    below = (one for one in problems(both(STRICT, at(f"{OUT}.0.tagz", {}))) if one.is_error)
    assert [one.azure_message for one in below] == [""]


def test_kinds_of_the_first_api_version_are_read_in_any_casing() -> None:
    first = at("apiVersion", "2018-02-01-preview")
    for kind in ("shell", "Shell"):
        step = at(STEPS, [{"type": kind, "script": URI}])
        out = at(OUT, [{**image(), "type": "managedImage"}])
        changed = both(first, step, out, at("identity", DROP), at(f"{SOURCE}.version", "12.0.1"))
        assert problems(changed) == ()
    (problem,) = problems(both(first, step, out, at("identity", DROP), at(f"{STEP}.type", "shel")))[-1:]
    assert problem.hint == "did you mean `shell`? one of shell"


def test_what_an_api_version_has_not_is_not_read() -> None:
    lines = both(at("apiVersion", "2018-02-01-preview"), at(STEPS, [{"type": "shell", "inline": ["x"]}]))
    assert {Rule.FIELD_VERSION.code, Rule.SCRIPT_OR_INLINE.code} <= {one.code for one in problems(lines)}


def test_a_windows_template_is_one_unsupported_line() -> None:
    steps = [
        {"type": "PowerShell", "inline": ["x"]},
        RESTART,
        {"type": "WindowsUpdate"},
        {"type": "PowerShell", "inline": ["y"]},
    ]
    windows = both(
        LATER,
        at(f"{SOURCE}.publisher", "MicrosoftWindowsServer"),
        at(f"{SOURCE}.offer", "WindowsServer"),
        at(STEPS, steps),
        at(f"{OUT}.0.uri", "https://a.blob.core.windows.net/c/d.vhd"),
    )
    (problem,) = (one for one in problems(windows, for_build=True) if one.is_unsupported)
    assert problem.severity is Severity.ERROR
    assert problem.message == (
        "This version builds Linux guests with Shell and File steps; a Windows guest is lacking for the "
        "source MicrosoftWindowsServer:WindowsServer:12:latest and steps of the kinds PowerShell, "
        "WindowsRestart, WindowsUpdate."
    )
    assert problem.hint == ""


def test_duplicate_names_are_a_note_where_azure_allows_them() -> None:
    twice = at(f"{STEPS}.1", {"type": "Shell", "name": "hello", "inline": ["x"]})
    (problem,) = problems(both(at("apiVersion", "2021-10-01"), twice))
    assert (problem.code, problem.severity) == (Rule.CUSTOMIZE_NAME.code, Severity.NOTE)
