"""The contracts as data: consistent, complete against Azure's template reference, and documented."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from vmwright.template import read
from vmwright.template.catalogue import Rule
from vmwright.template.contract import API_VERSIONS, FIRST, Format, Kind, reaches
from vmwright.template.shapes import SHAPES
from vmwright.template.support import NOT_BUILT

ROOT = Path(__file__).parents[3]
SEEDS = ROOT.parent / "shared" / "seeds"
DOCS = (ROOT / "docs" / "templates.md").read_text()
EDITIONS = sorted(SEEDS.glob("template-reference-*.md"))
# The api-versions that Azure's template reference had editions of.
DOCUMENTED = ("2019-05-01-preview", "2020-02-14")
# What the reference shows of answers and of tags, not of templates.
NOT_OF_A_TEMPLATE = {
    "id",
    "kind",
    "managedBy",
    "plan",
    "resourceGroup",
    "sku",
    "artifactId",
    "provisioningState",
}


def test_the_shapes_are_consistent() -> None:
    for shape in SHAPES.values():
        names = [name for field in shape.fields for name in field.names]
        assert len(names) == len(set(names)), shape.name
        assert shape.about.endswith("."), shape.name
        for field in shape.fields:
            nested = field.kind in {Kind.OBJECT, Kind.OBJECTS, Kind.CHOICE, Kind.CHOICES}
            assert bool(field.shapes) == nested, field.name
            assert {SHAPES[name].name for name in field.shapes} == set(field.shapes)
            assert field.format is Format.PLAIN or field.kind in {Kind.TEXT, Kind.TEXTS}
            assert field.about.endswith("."), field.name
            assert bool(field.earlier_name) == bool(field.renamed_in)
            assert not (field.instead and not field.built), "what is not built yet has its own note"
            # What is not looked into is ARM's, the service's own, or without meaning.
            assert field.kind is not Kind.OPAQUE or field.read_only or field.name in {"dependsOn", "build"}
            assert field.until is None or reaches(field.until, field.since)
    assert set(NOT_BUILT) <= set(SHAPES)


@pytest.mark.skipif(not EDITIONS, reason="Azure's template reference (../shared/seeds) is missing")
@pytest.mark.parametrize("edition", EDITIONS, ids=lambda path: path.stem)
def test_every_field_that_the_reference_shows_is_in_the_contract(edition: Path) -> None:
    version = DOCUMENTED[1] if "2021" in edition.name else DOCUMENTED[0]
    blocks = re.findall(r"```json(.*?)```", edition.read_text(), re.DOTALL)
    shown = {key for block in blocks for key in re.findall(r'"(\w+)"\s*:', block)} - NOT_OF_A_TEMPLATE
    known = {
        name
        for shape in SHAPES.values()
        for field in shape.fields
        if field.exists_in(version)
        for name in field.names
    }
    assert {key for key in shown if key.casefold() not in known} == set()
    assert len(shown) > 30


@pytest.mark.parametrize("version", DOCUMENTED)
def test_a_documented_api_version_has_each_of_its_fields_in_an_edition(version: str) -> None:
    undocumented = {
        field.name
        for shape in SHAPES.values()
        for field in shape.fields
        if field.exists_in(version) and not field.read_only and not field.documented
    }
    # A resource's own name, and what the service took before its reference said so.
    assert undocumented <= {"name", "runAsSystem"}


# Each thing that an api-version brought, took away or spelled otherwise (reference §3).
BROUGHT = {
    FIRST: ["PlatformImage.publisher", "ISO.sourceURI", "Shell.script", "SharedImage.replicationRegions"],
    "2019-02-01-preview": ["Shell.inline", "PowerShell.validExitCodes", "WindowsRestart.restartTimeout"],
    "2019-05-01-preview": [
        "ImageTemplate.identity",
        "Properties.buildTimeoutInMinutes",
        "Properties.vmProfile",
        "Shell.scriptUri",
        "Shell.sha256Checksum",
        "PowerShell.runElevated",
        "ISO.sourceUri",
    ],
    "2020-02-14": [
        "PlatformImage.planInfo",
        "PowerShell.runAsSystem",
        "SharedImage.excludeFromLatest",
        "SharedImage.storageAccountType",
        "VnetConfig.subnetId",
    ],
    "2021-10-01": [
        "PlatformImage.exactVersion",
        "VmProfile.userAssignedIdentities",
        "VnetConfig.proxyVmSize",
        "ImageTemplate.systemData",
    ],
    "2022-02-14": [
        "Properties.validate",
        "Properties.stagingResourceGroup",
        "Properties.exactStagingResourceGroup",
    ],
    "2022-07-01": [
        "SharedImageVersion.exactVersion",
        "SharedImage.targetRegions",
        "SharedImage.versioning",
        "VHD.uri",
        "Properties.optimize",
    ],
    "2023-07-01": ["Properties.errorHandling"],
    "2024-02-01": [
        "Properties.autoRun",
        "Properties.managedResourceTags",
        "VnetConfig.containerInstanceSubnetId",
    ],
    "2025-10-01": ["Optimize.workload", "SharedImage.replicationMode", "Properties.additionalDataDisks"],
}
ENDED = {
    "2019-05-01-preview": ["ISO.sourceURI", "Shell.script", "PowerShell.script"],
    "2020-02-14": ["Properties.build", "VnetConfig.name", "VnetConfig.subnetName"],
}


def names_of(version: str) -> set[str]:
    return {
        f"{shape.name}.{field.name_in(version)}"
        for shape in SHAPES.values()
        for field in shape.fields
        if shape.exists_in(version) and field.exists_in(version)
    }


def test_each_api_version_brings_and_ends_what_the_reference_says() -> None:
    for before, version in pairwise(API_VERSIONS):
        came, went = names_of(version) - names_of(before), names_of(before) - names_of(version)
        assert set(BROUGHT[version]) <= came, version
        assert set(ENDED.get(version, ())) <= went, version
    assert set(BROUGHT[FIRST]) <= names_of(FIRST)


@pytest.mark.parametrize(
    ("shape", "since"),
    [
        ("ManagedImageSource", "2019-02-01-preview"),
        ("SharedImageVersion", "2019-05-01-preview"),
        ("PowerShell", "2019-02-01-preview"),
        ("File", "2019-05-01-preview"),
        ("VHD", "2019-02-01-preview"),
        ("ShellValidator", "2022-02-14"),
        ("FileValidator", "2022-07-01"),
    ],
)
def test_kinds_came_when_the_reference_says(shape: str, since: str) -> None:
    exists = [version for version in API_VERSIONS if SHAPES[shape].exists_in(version)]
    assert exists[0] == since
    assert exists[-1] == API_VERSIONS[-1]


def test_the_first_api_version_has_kinds_in_lower_camel_case() -> None:
    names = {
        shape.type_in(FIRST) for shape in SHAPES.values() if "Image" in shape.name or shape.name == "Shell"
    }
    assert {"shell", "sharedImage", "managedImage", "PlatformImage"} <= names
    assert SHAPES["Shell"].type_in("2019-02-01-preview") == "Shell"


def test_the_documentation_lists_every_rule_as_it_is() -> None:
    rows = set(
        re.findall(r"^\| `([a-z0-9-]+/[a-z0-9-]+)` \| (\w+) \| (.*?) \| (.*?) \|$", DOCS, re.MULTILINE)
    )
    assert rows == {(rule.code, rule.severity.value, rule.says, rule.source) for rule in Rule}


def test_the_documentation_says_what_has_no_effect_and_what_happens_instead() -> None:
    section = DOCS.partition("## What has no effect on a local build")[2].partition("\n## ")[0]
    rows = set(re.findall(r"^\| `(\w+)` \| (.*?) \|$", section, re.MULTILINE))
    assert rows == {
        (one.name, one.instead) for shape in SHAPES.values() for one in shape.fields if one.instead
    }


def test_the_documentation_names_every_api_version() -> None:
    assert {version for version in API_VERSIONS if version in DOCS} == set(API_VERSIONS)


def test_the_documentation_s_template_is_a_good_one() -> None:
    example = re.search(r"```json\n(.*?)```", DOCS, re.DOTALL)
    assert example is not None
    reading = read(example[1].encode(), name="hello", for_build=True)
    assert reading.template is not None
    assert {problem.code for problem in reading.problems} == {Rule.PLACEHOLDER_DEFAULT.code}
    assert reading.template.customize[0].name == "hello"
