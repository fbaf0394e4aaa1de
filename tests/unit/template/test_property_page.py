"""docs/properties.md is what the contracts say."""

from __future__ import annotations

import re
from pathlib import Path

from vmwright.template.properties import page
from vmwright.template.shapes import SHAPES

DOCS = Path(__file__).parents[3] / "docs"
COMMAND = ".venv/bin/python -m vmwright.template.properties >docs/properties.md"


def test_the_page_is_up_to_date() -> None:
    assert (DOCS / "properties.md").read_text() == page(), f"run: {COMMAND}"
    assert COMMAND in (DOCS / "developing.md").read_text()


def test_every_object_has_its_section_and_every_table_fits() -> None:
    text = page()
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(SHAPES)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}
    assert len(rows) == sum(2 + len(shape.fields) for shape in SHAPES.values())
