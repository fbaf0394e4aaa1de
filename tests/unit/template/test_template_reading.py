"""Real templates, the model that comes of them, and what hostile or broken files do (problems only)."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmwright.template import Reading, Severity, document, model, read
from vmwright.template.catalogue import Rule
from vmwright.template.contract import API_VERSIONS

TEMPLATES = Path(__file__).parents[4] / "shared" / "templates"
# Deployment templates have tests of their own.
FILES = sorted(path for path in TEMPLATES.glob("*.json") if b'"resources"' not in path.read_bytes())
QUICKSTART = "qs_az_0_Creating_a_Custom_Linux_Managed_Image_helloImageTemplateLinux.json"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
ZERO = "00000000-0000-0000-0000-000000000000"
needs_templates = pytest.mark.skipif(not FILES, reason="the real templates (../shared/templates) are missing")


def version_of(path: Path) -> str | None:
    """Recorded bodies have their api-version in the file name."""
    found = re.search(r"_(20\d\d-\d\d-\d\d(?:-preview)?)_PUT_", path.name)
    return found[1] if found else None


def read_file(path: Path, **options: Any) -> Reading:
    return read(path.read_bytes(), api_version=version_of(path), name=path.stem[:40], **options)


@needs_templates
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_template_reads(path: Path) -> None:
    reading = read_file(path)
    assert reading.errors == ()
    assert reading.template is not None
    assert {problem.severity for problem in reading.problems} <= {Severity.NOTE, Severity.WARNING}
    assert not {Rule.FIELD_UNKNOWN.code, Rule.FIELD_VERSION.code} & {one.code for one in reading.problems}


@needs_templates
def test_the_linux_quickstart_becomes_this_model() -> None:
    reading = read(
        (TEMPLATES / QUICKSTART).read_bytes(),
        values={"rgname": "mine", "imageName": "web"},
        name="hello",
        for_build=True,
    )
    template = reading.template
    assert template is not None
    assert template.source == model.PlatformImage(
        publisher="Canonical", offer="UbuntuServer", sku="18.04-LTS", version="latest"
    )
    assert template.timeout_seconds == 80 * 60
    assert template.vm_profile == model.VmProfile(vm_size="Standard_D1_v2", os_disk_size_gb=30)
    assert [type(one).__name__ for one in template.customize] == ["Shell", "Shell", "File", "Shell", "Shell"]
    assert template.customize[2] == model.File(
        name="downloadBuildArtifacts",
        path="properties.customize[2]",
        source_uri=(
            "https://raw.githubusercontent.com/danielsollondon/azvmimagebuilder/master/"
            "quickquickstarts/exampleArtifacts/buildArtifacts/index.html"
        ),
        destination="/tmp/index.html",
    )
    assert template.distribute == (
        model.ManagedImage(
            path="properties.distribute[0]",
            run_output_name="hello",
            image_id=f"/subscriptions/{ZERO}/resourceGroups/mine/providers/Microsoft.Compute/images/web",
            location="westus2",
            artifact_tags={"source": "azVmImageBuilder", "baseosimg": "ubuntu1804"},
        ),
    )
    assert template.identities == (
        f"/subscriptions/{ZERO}/resourceGroups/mine/providers/{IDENTITIES}/vmwright",
    )
    waits = next(one for one in reading.problems if one.code == Rule.INLINE_WAITS.code)
    assert (waits.path, waits.line, waits.column) == ("properties.customize[4].inline[0]", 69, 21)


def test_the_spellings_of_the_documentation_are_read_as_what_they_mean() -> None:
    text = b"""{
      // the spellings of Azure's template reference and of old samples
      "type": "Microsoft.VirtualMachineImages",
      "location": "West US",
      "properties": {
        "source": {"type": "SharedImageVersion", "imageVersionID":
          "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/galleries/g/images/d/versions/1.2.3"},
        "customize": [
          {"type": "Windows-Restart"},
          {"type": "powershell", "script": "https://example.com/a.ps1", "valid_exit_codes": "0, 3010",
           "runElevated": "true", "sha256Checksum": "%s"},
          {"type": "PowerShell", "inline": "dir", "validExitCodes": ["0", "1"],},
        ],
        "distribute": [{"type": "vhd", "runOutputName": "out", "tags": {"a": "b"}}]
      }
    }""".replace(b"%s", b"AB" * 32)
    reading = read(text, api_version="2019-05-01-preview")
    assert reading.errors == ()
    template = reading.template
    assert template is not None
    assert template.source == model.SharedImageVersion(
        image_version_id=(
            "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/galleries/g/images/d/versions/1.2.3"
        )
    )
    restart, script, inline = template.customize
    assert restart == model.WindowsRestart(name="WindowsRestart", path="properties.customize[0]")
    assert script == model.PowerShell(
        name="PowerShell",
        path="properties.customize[1]",
        script_uri="https://example.com/a.ps1",
        sha256_checksum="ab" * 32,
        run_elevated=True,
        valid_exit_codes=(0, 3010),
    )
    assert isinstance(inline, model.PowerShell)
    assert (inline.inline, inline.valid_exit_codes) == (("dir",), (0, 1))
    assert template.distribute[0].artifact_tags == {"a": "b"}
    hints = {problem.hint for problem in reading.problems}
    assert {
        "write `imageVersionId`",
        'write "type": "WindowsRestart"',
        "write `scriptUri`",
        "write `validExitCodes`",
        "write `artifactTags`",
        "write true",
        "write [0, 3010]",
    } <= hints


def test_independent_problems_come_in_one_go_and_in_the_order_of_the_file() -> None:
    reading = read(
        b'{"apiVersion": "2020-02-14",\n "location": 5,\n "properties": {"source": {"type": "Iso"},\n'
        b' "customize": [{"type": "Shell"}, {"type": "File"}],\n "distribute": [{"type": "VHD"}]}}'
    )
    assert reading.template is None
    found = [(one.code, one.path, one.line) for one in reading.problems if one.is_error]
    assert found == [
        ("value/type", "location", 2),
        ("field/missing", "properties.source", 3),
        ("field/missing", "properties.source", 3),
        ("iso/removed", "properties.source.type", 3),
        ("script/exactly-one", "properties.customize[0]", 4),
        ("field/missing", "properties.customize[1]", 4),
        ("field/missing", "properties.customize[1]", 4),
        ("field/missing", "properties.distribute[0]", 5),
    ]


def test_placeholders_in_commands_are_filled_only_with_what_was_given() -> None:
    body = json.dumps(
        {
            "apiVersion": "2020-02-14",
            "location": "<region>",
            "properties": {
                "source": {"type": "ManagedImage", "imageId": "<imageId>"},
                "customize": [{"type": "Shell", "inline": ["cat <region >out", "echo <greeting> <b>"]}],
                "distribute": [{"type": "VHD", "runOutputName": "<runOutputName>"}],
            },
        }
    ).encode()
    image_id = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/images/i"
    reading = read(body, values={"greeting": "hi", "IMAGEID": image_id}, name="My image!", for_build=True)
    assert reading.template is not None
    (shell,) = reading.template.customize
    assert isinstance(shell, model.Shell)
    assert shell.inline == ("cat <region >out", "echo hi <b>")
    assert reading.template.source == model.ManagedImageSource(image_id=image_id)
    assert reading.template.distribute[0].run_output_name == "My-image"
    assert reading.template.location == "westus2"


def test_what_has_no_value_stays_open_in_check_and_stops_a_build() -> None:
    body = b"""{"location": "<where>", "apiVersion": "<version>", "properties": {
        "errorHandling": {"onCustomizerError": "<error>"}, "autoRun": {"state": "<state>"},
        "source": {"type": "ManagedImage", "imageId": "/subscriptions/<mine>"},
        "vmProfile": {"osDiskSizeGB": "<size>"},
        "customize": [{"type": "<kind>"}],
        "distribute": [{"type": "SharedImage", "runOutputName": "<a b>", "galleryImageId": "<definition>",
                        "versioning": {"scheme": "<scheme>"}}]},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"<who>": {}}}}"""
    checked = read(body)
    assert checked.errors == ()
    assert checked.template is not None
    stopped = read(body, for_build=True)
    assert stopped.template is None
    names = ["where", "version", "error", "state", "mine", "size", "kind", "a b", "definition"]
    names += ["scheme", "who"]
    assert [one.message for one in stopped.errors] == [
        f"The placeholder <{name}> has no value." for name in names
    ]
    assert stopped.errors[7].hint == "--set 'a b=VALUE'"


def test_a_secret_in_a_script_address_is_in_no_message() -> None:
    body = b"""{"location": "westus", "properties": {
        "source": {"type": "ManagedImage", "imageId": "x"},
        "customize": [{"type": "Shell", "scriptUri": "nonsense?sig=hunter22hunter22hunter22"},
                      {"type": "Shell", "inline": ["apt install a --password hunter22hunter22"]}],
        "distribute": []}}"""
    said = "".join(one.message + one.hint + one.azure_message for one in read(body).problems)
    assert "hunter22" not in said


def test_columns_count_characters_and_lines_survive_comments() -> None:
    tree, problems = document.parse('{\r\n /* a\n b */ "é😀": [1, "é", {"x y": 2}] }'.encode())
    assert tree is not None
    assert [one.code for one in problems] == [Rule.JSON_NOT_STRICT.code]
    places = {node.place.path: (node.place.line, node.place.column) for node in document.walk(tree)}
    assert places == {
        "": (1, 1),
        "['é😀']": (3, 13),
        "['é😀'][0]": (3, 14),
        "['é😀'][1]": (3, 17),
        "['é😀'][2]": (3, 22),
        "['é😀'][2]['x y']": (3, 30),
    }


@pytest.mark.parametrize(
    ("data", "line", "column", "message", "hint"),
    [
        (b'{"a": 1\n "b": 2}', 2, 2, "Expecting ',' delimiter.", "a comma is missing"),
        (b"{'a': 1}", 1, 2, "Expecting property name enclosed in double quotes.", "double quotes only"),
        (b'{"a": <n>}', 1, 7, "Expecting value.", "a placeholder stands in quotes"),
        (b'{"a": 1', 1, 8, "it ends too early.", "close every bracket"),
        (b'{"a": "b\nc"}', 1, 9, "Invalid control character.", "a text stays on one line"),
        (b"{} {}", 1, 4, "Extra data.", "one template"),
        (b'{"a": NaN}', 1, 7, "NaN is no value.", ""),
        (b'{"a": "\\x"}', 1, 8, "Invalid \\escape.", ""),
    ],
)
def test_broken_json_is_one_clear_problem(
    data: bytes, line: int, column: int, message: str, hint: str
) -> None:
    (problem,) = read(data).problems
    assert (problem.code, problem.line, problem.column) == ("json/invalid", line, column)
    assert problem.message.startswith("The file is not JSON: ")
    assert problem.message.endswith(message)
    assert hint in problem.hint


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b",/*" * 100_000,
        b'\\"' * 100_000,
        b'{"a": ' + b"9" * 100_000 + b"}",
        b'{"properties": {"buildTimeoutInMinutes": 1e999}}',
        b"\xff" * 1000,
        b"{" + b",".join(b'"sourcx%d": 1' % number for number in range(10_000)) + b"}",
        b'{"properties": {"customize": [{"type": "Shell", "inline": ["' + b"&sig=" * 100_000 + b'"]}]}}',
        b'{"apiVersion": {}, "properties": [], "identity": 3}',
    ],
)
def test_a_hostile_file_gives_problems(data: bytes) -> None:
    reading = read(data)
    assert reading.template is None
    assert reading.errors


# A busy machine is no reason to fail.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@unhurried
@given(st.dictionaries(st.text(), values), st.booleans())
def test_the_tree_says_what_json_says(value: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001
    try:
        data = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False).encode()
    except (ValueError, UnicodeEncodeError):
        return
    tree, _ = document.parse(data)
    assert tree is not None
    assert document.plain(tree) == json.loads(data, parse_int=_number)


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= document.MAX_DIGITS else float(digits)


@unhurried
@given(st.binary())
def test_any_bytes_give_a_reading(data: bytes) -> None:
    assert read(data).problems


@unhurried
@given(values, st.sampled_from(API_VERSIONS))
def test_any_json_gives_a_reading(value: object, version: str) -> None:
    data = json.dumps({"properties": value, "location": value, "identity": value, "tags": value}).encode()
    assert read(data, api_version=version, for_build=True).problems


GROUP = f"/subscriptions/{ZERO}/resourceGroups/rg"
SUBNETS = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets"
DEFINITION = f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/d"
SCRIPT = {"scriptUri": "https://example.com/a", "sha256Checksum": "ab" * 32}
# Everything that the newest api-version has beside what the real templates hold.
FULL: dict[str, Any] = {
    "location": "westus2",
    "identity": {
        "type": "UserAssigned",
        "userAssignedIdentities": {f"{GROUP}/providers/{IDENTITIES}/me": {}},
    },
    "properties": {
        "source": {"type": "SharedImageVersion", "imageVersionId": f"{DEFINITION}2/versions/latest"},
        "customize": [{"type": "Shell", "inline": ["true"]}, {"type": "PowerShell", **SCRIPT}],
        "optimize": {"vmBoot": {"state": "Enabled"}, "workload": {"state": "Disabled", **SCRIPT}},
        "validate": {
            "continueDistributeOnFailure": True,
            "sourceValidationOnly": False,
            "inVMValidations": [{"type": "Shell", **SCRIPT}, {"type": "PowerShell", **SCRIPT}],
        },
        "distribute": [
            {
                "type": "SharedImage",
                "runOutputName": "gallery",
                "galleryImageId": DEFINITION,
                "targetRegions": [
                    {"name": "West US", "replicaCount": 2, "storageAccountType": "Premium_LRS"}
                ],
                "versioning": {"scheme": "Latest", "major": 2},
                "replicationMode": "Shallow",
            },
            {"type": "VHD", "runOutputName": "disk", "uri": "https://a.blob.core.windows.net/c"},
        ],
        "errorHandling": {"onCustomizerError": "abort", "onValidationError": "cleanup"},
        "vmProfile": {
            "userAssignedIdentities": [f"{GROUP}/providers/{IDENTITIES}/me"],
            "vnetConfig": {"subnetId": f"{SUBNETS}/a", "containerInstanceSubnetId": f"{SUBNETS}/b"},
        },
        "stagingResourceGroup": GROUP,
        "autoRun": {"state": "Enabled"},
        "managedResourceTags": {"a": "b"},
        "additionalDataDisks": [{"sizeGB": 64}],
    },
}


def test_the_newest_api_version_becomes_this_model() -> None:
    reading = read(json.dumps(FULL).encode(), api_version="2025-10-01")
    assert reading.errors == ()
    template = reading.template
    assert template is not None
    assert template.optimize == model.Optimize(
        vm_boot=True,
        workload=False,
        workload_script_uri="https://example.com/a",
        workload_sha256_checksum="ab" * 32,
    )
    assert template.validate is not None
    assert template.validate.continue_distribute_on_failure
    assert [(one.kind, one.path) for one in template.validate.in_vm_validations] == [
        ("Shell", "properties.validate.inVMValidations[0]"),
        ("PowerShell", "properties.validate.inVMValidations[1]"),
    ]
    assert template.distribute == (
        model.SharedImage(
            path="properties.distribute[0]",
            run_output_name="gallery",
            gallery_image_id=DEFINITION,
            target_regions=(
                model.TargetRegion(name="West US", replica_count=2, storage_account_type="Premium_LRS"),
            ),
            versioning=model.Versioning(scheme=model.VersioningScheme.LATEST, major=2),
            replication_mode="Shallow",
        ),
        model.Vhd(
            path="properties.distribute[1]",
            run_output_name="disk",
            uri="https://a.blob.core.windows.net/c",
        ),
    )
    assert template.error_handling == model.ErrorHandling(on_customizer_error=model.OnError.ABORT)
    assert template.vm_profile.vnet_config == model.VnetConfig(
        subnet_id=f"{SUBNETS}/a", container_instance_subnet_id=f"{SUBNETS}/b"
    )
    assert template.vm_profile.user_assigned_identities == template.identities
    assert (template.staging_resource_group, template.auto_run) == (GROUP, True)
    assert (template.managed_resource_tags, template.additional_data_disks) == ({"a": "b"}, (64,))


def test_regions_and_their_storage_are_one_thing_in_the_model() -> None:
    gallery = {
        "type": "SharedImage",
        "runOutputName": "out",
        "galleryImageId": DEFINITION,
        "replicationRegions": ["westus", "East US"],
        "storageAccountType": "Standard_ZRS",
    }
    body = {"location": "westus2", "properties": {**FULL["properties"], "distribute": [gallery]}}
    reading = read(json.dumps(body).encode(), api_version="2020-02-14")
    assert reading.template is not None
    (distributor,) = reading.template.distribute
    assert isinstance(distributor, model.SharedImage)
    assert distributor.target_regions == (
        model.TargetRegion(name="westus", storage_account_type="Standard_ZRS"),
        model.TargetRegion(name="East US", storage_account_type="Standard_ZRS"),
    )
    # What that api-version has not is not in the model either.
    assert (reading.template.validate, reading.template.auto_run) == (None, None)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A template with some of its values, keys or items replaced, removed or doubled."""
    tree = draw(st.sampled_from([*(json.loads(path.read_bytes()) for path in FILES), *[FULL] * 20]))
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 4))):
        node: Any = tree
        while isinstance(node, dict | list) and node:
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            child = node[key]
            if not (isinstance(child, dict | list) and child) or draw(st.booleans()):
                _mutate(draw, node, key)
                break
            node = child
    return json.dumps(tree).encode()


def _mutate(draw: st.DrawFn, node: Any, key: Any) -> None:
    match draw(st.sampled_from(["replace", "remove", "rename"])):
        case "replace":
            node[key] = draw(values | st.sampled_from([{}, [], "", "<x>", "[f()]", 0, -1, "Shell", None]))
        case "remove":
            del node[key]
        case "rename" if isinstance(node, dict):
            node[draw(st.sampled_from([key.upper(), key + "s", "type", "inline"]))] = node.pop(key)


@needs_templates
@unhurried
@given(mutations(), st.sampled_from(API_VERSIONS))
def test_mutated_templates_give_readings(body: bytes, version: str) -> None:
    for for_build in (False, True):
        reading = read(body, api_version=version, for_build=for_build)
        assert (reading.template is None) == bool(reading.errors)
        places = [(one.line, one.column) for one in reading.problems]
        assert places == sorted(places)
