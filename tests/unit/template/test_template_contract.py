"""The contracts as data: consistent, complete against Azure's template reference, and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vmwright.template import read
from vmwright.template.catalogue import Rule
from vmwright.template.contract import API_VERSIONS, COMPLETE, Format, Kind, reaches
from vmwright.template.shapes import SHAPES
from vmwright.template.support import NOT_BUILT

ROOT = Path(__file__).parents[3]
SEEDS = ROOT.parent / "shared" / "seeds"
DOCS = (ROOT / "docs" / "templates.md").read_text()
EDITIONS = sorted(SEEDS.glob("template-reference-*.md"))
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
        names = [name.casefold() for field in shape.fields for name in (field.name, *field.spellings)]
        assert len(names) == len(set(names)), shape.name
        for field in shape.fields:
            nested = field.kind in {Kind.OBJECT, Kind.CHOICE, Kind.CHOICES}
            assert bool(field.shapes) == nested, field.name
            assert {SHAPES[name].name for name in field.shapes} == set(field.shapes)
            assert field.format is Format.PLAIN or field.kind is Kind.TEXT
            assert field.until is None or reaches(field.until, field.since)
    assert set(NOT_BUILT) <= set(SHAPES)


@pytest.mark.skipif(not EDITIONS, reason="Azure's template reference (../shared/seeds) is missing")
@pytest.mark.parametrize("edition", EDITIONS, ids=lambda path: path.stem)
def test_every_field_that_the_reference_shows_is_in_the_contract(edition: Path) -> None:
    version = "2020-02-14" if "2021" in edition.name else "2019-05-01-preview"
    blocks = re.findall(r"```json(.*?)```", edition.read_text(), re.DOTALL)
    shown = {key for block in blocks for key in re.findall(r'"(\w+)"\s*:', block)} - NOT_OF_A_TEMPLATE
    known = {
        name.casefold()
        for shape in SHAPES.values()
        for field in shape.fields
        if field.exists_in(version)
        for name in (field.name, *field.spellings)
    }
    assert {key for key in shown if key.casefold() not in known} == set()
    assert len(shown) > 30


@pytest.mark.parametrize("version", COMPLETE)
def test_a_complete_api_version_documents_each_of_its_fields(version: str) -> None:
    undocumented = {
        field.name
        for shape in SHAPES.values()
        for field in shape.fields
        if field.exists_in(version) and field.built and not field.read_only and not field.documented
    }
    # A resource's own name, and what the service took before its reference said so.
    assert undocumented <= {"name", "runAsSystem"}


def test_the_documentation_lists_every_rule_as_it_is() -> None:
    rows = set(
        re.findall(r"^\| `([a-z0-9-]+/[a-z0-9-]+)` \| (\w+) \| (.*?) \| (.*?) \|$", DOCS, re.MULTILINE)
    )
    assert rows == {(rule.code, rule.severity.value, rule.says, rule.source) for rule in Rule}


def test_the_documentation_names_every_api_version() -> None:
    assert {version for version in API_VERSIONS if version in DOCS} == set(API_VERSIONS)


def test_the_documentation_s_template_is_a_good_one() -> None:
    example = re.search(r"```json\n(.*?)```", DOCS, re.DOTALL)
    assert example is not None
    reading = read(example[1].encode(), name="hello", for_build=True)
    assert reading.template is not None
    assert {problem.code for problem in reading.problems} == {Rule.PLACEHOLDER_DEFAULT.code}
    assert reading.template.customize[0].name == "hello"
