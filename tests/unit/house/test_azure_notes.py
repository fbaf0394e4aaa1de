"""docs/azure-notes.md names tests, rules and pages: all of them exist."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from vmwright.template.catalogue import Rule

PAGE = ROOT / "docs" / "azure-notes.md"
ROWS = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [12]", line)]
CODES = {rule.code for rule in Rule}


def test_the_page_has_rows() -> None:
    assert len(ROWS) > 90


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[2].strip()[:60] for row in ROWS])
def test_what_holds_a_note_exists(row: str) -> None:
    held_by = re.findall(r"`([^`]+)`", row.rstrip(" |").rpartition("|")[2])
    assert held_by, "nothing holds this note"
    for name in held_by:
        if not name.startswith("tests/"):
            assert name in CODES
            continue
        file, _, test = name.partition("::")
        text = (ROOT / file).read_text()
        name_of_test = rf"{test}\(" if test else "test_"
        assert re.search(rf"^(async )?def {name_of_test}", text, re.MULTILINE), name


def test_the_pages_that_it_leads_to_exist() -> None:
    for page in re.findall(r"\]\(([\w-]+\.md)\)", PAGE.read_text()):
        assert (PAGE.parent / page).exists(), page
